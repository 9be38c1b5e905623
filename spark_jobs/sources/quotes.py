"""Quotes that nothing closes: a CSV reader makes one value of all up to the next quote, or to the end of the file."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from conf.errors import FranklinError
from spark_jobs.dataset import as_number, column
from spark_jobs.sources.faults import stopping
from spark_jobs.sources.lines import NO_VALUE, UNREADABLE
from spark_jobs.sources.storage import LOOKING, Storage

MOST_LINES = 100  # of a value
SWALLOWED = "a value has lines that look like rows, as if a quote is not closed"
SHOWN = 60  # characters of a value
SAME, OTHER = 1, -1  # of two values: both are numbers, one is


@dataclass(frozen=True)
class Dialect:
    """How CSV files are written: the names of their columns, what parts values, what quotes them."""

    header: list[str]
    delimiter: str
    quote: str
    encoding: str


def last_lines(files: dict[str, Storage], dialect: Dialect) -> list[str]:
    """Return the last lines of files, of which no row may have one in a value: a quote has swallowed it.

    Args:
        files: Who sees each file.
        dialect: How they are written.

    Raises:
        FranklinError: A last line opens a quote, and nothing closes it.

    """
    with ThreadPoolExecutor(LOOKING) as pool:
        ends = list(pool.map(lambda file: files[file].last_line(file), files))
    lines = {file: end.decode(dialect.encoding, "replace").strip() for file, end in zip(files, ends, strict=True)}
    for file, line in lines.items():
        if _opens(line, dialect):
            raise FranklinError(
                f"{file}: its last line opens a quote that nothing closes ({line[:SHOWN]}); close it, or write it anew"
            )
    # A quote at the very end may be the one that closes.
    return sorted({line for line in lines.values() if dialect.delimiter in line and not line.endswith(dialect.quote)})


def swallowing(dialect: Dialect, ends: list[str], file: Column) -> Column:
    """Return why a row is unfit one of whose values has swallowed others, else null.

    A value of over `MOST_LINES` lines, or one with the last line of a file, stops the job: rows beyond number are in
    it. One whose lines have as many values as a row, with numbers where its own row has numbers, makes its row unfit.

    Args:
        dialect: How the files are written.
        ends: Their last lines (see `last_lines`).
        file: The path of the row's file.

    """
    names = [*dialect.header, UNREADABLE]
    breaks = F.greatest(F.lit(False), *(column(name).contains("\n") for name in names))
    values = F.array(*map(column, names))
    long = F.filter(values, lambda value: F.regexp_count(value, F.lit("\n")) > MOST_LINES)
    stops = [(long, f"over {MOST_LINES} lines", ", or keep texts that long in JSON lines or Parquet")]
    if ends:
        torn = F.filter(values, lambda value: value.contains("\n") & F.element_at(_lines(value), -1).isin(ends))
        stops.append((torn, "all lines to the end of the file", ""))
    told = [F.when(F.size(found) > 0, _stop(file, what, found, more)) for found, what, more in stops]
    return F.when(breaks, F.coalesce(*told, F.when(_holds_rows(dialect), SWALLOWED)))


def _stop(file: Column, what: str, found: Column, more: str) -> Column:
    """Stop the job, naming file and value."""
    path = F.regexp_replace(F.try_url_decode(F.replace(file, F.lit("+"), F.lit("%2B"))), "^file:(//)?(?=/)", "")
    start = F.left(F.regexp_replace(F.element_at(found, 1), r"\s+", " "), F.lit(SHOWN))
    text = (path, F.lit(f": a quote that nothing closes makes one value of {what}, from '"), start)
    return stopping(F.concat(*text, F.lit(f"'; close it{more}")))


def _holds_rows(dialect: Dialect) -> Column:
    """Whether the first value with a line break is the end of one row, maybe whole rows, and the start of another."""
    size, values = len(dialect.header), F.array(*map(column, dialect.header))
    broken = F.transform(values, lambda value: F.coalesce(value.contains("\n"), F.lit(False)))
    place = F.array_position(broken, F.lit(True)).cast("int")
    # Else, evaluated where no value has one, slices would start at 0.
    at = F.when(place > 0, place)
    parts = F.transform(
        _lines(F.element_at(values, at)), lambda line: F.split(line, re.escape(dialect.delimiter), limit=-1)
    )
    first, last = F.element_at(parts, 1), F.element_at(parts, -1)
    between = F.slice(parts, F.lit(2), F.greatest(F.size(parts) - 2, F.lit(0)))
    rows = (
        (F.size(first) == size - at + 1) & (F.size(last) == at) & F.forall(between, lambda part: F.size(part) == size)
    )
    ours = F.concat(F.slice(values, F.lit(1), at - 1), F.slice(values, at + 1, size - at))
    theirs = F.concat(F.slice(last, F.lit(1), at - 1), F.slice(first, F.lit(2), size - at))
    pairs = F.zip_with(ours, theirs, _compared)
    alike = F.array_contains(pairs, SAME) & ~F.array_contains(pairs, OTHER)
    return F.when((F.size(parts) > 1) & rows, alike)


def _compared(ours: Column, theirs: Column) -> Column:
    numbers = as_number(F.trim(ours)).isNotNull(), as_number(F.trim(theirs)).isNotNull()
    unknown = _missing(ours) | _missing(theirs)
    return F.when(numbers[0] & numbers[1], SAME).when(~unknown & (numbers[0] != numbers[1]), OTHER).otherwise(0)


def _missing(value: Column) -> Column:
    return value.isNull() | F.lower(F.trim(value)).isin(*NO_VALUE)


def _lines(value: Column) -> Column:
    return F.split(F.regexp_replace(value, r"\s+\z", ""), "\r?\n", limit=-1)


def _opens(line: str, dialect: Dialect) -> bool:
    """Whether a line, taken as a row, has a quoted value without an end."""
    mark, comma = re.escape(dialect.quote), re.escape(dialect.delimiter)
    inner = f"{mark}(?:[^{mark}]|{mark}{mark})*"
    before = rf"(?:(?:\s*{inner}{mark}\s*|(?!\s*{mark})(?:(?!{comma}).)*){comma})*"
    return not line.endswith(dialect.quote) and re.fullmatch(rf"{before}\s*{inner}", line) is not None
