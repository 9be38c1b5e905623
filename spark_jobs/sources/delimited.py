"""CSV files to DataFrames. Every value arrives as a string; what it means is the source's to say."""

import csv
import io
import shutil
import zipfile
from pathlib import Path
from uuid import uuid4

import fsspec
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention
from pyspark.sql.types import StringType, StructField, StructType

from conf.errors import FranklinError
from spark_jobs.dataset import column
from spark_jobs.session import UNPACKED
from spark_jobs.sources.far import literal
from spark_jobs.sources.lines import UNFIT, UNREADABLE
from spark_jobs.sources.quotes import Dialect, last_lines, swallowing
from spark_jobs.sources.storage import PythonStorage, Storage, first_line

DELIMITERS = ",;\t|"
REPLACED = "\ufffd"  # what Spark reads where bytes are no text


def read_csv(
    spark: SparkSession,
    files: list[str],
    options: dict[str, str],
    storage: Storage | None = None,
    *,
    multi_line: bool = False,
) -> DataFrame:
    """Read CSV files with one header as strings, plus `__unreadable` and `__unfit` (see `lines`).

    A value with bytes that are no text makes its row unfit.

    Args:
        spark: The session.
        files: Paths; a `.zip` holds one CSV file and is unpacked where executors see it.
        options: Of Spark's reader, before franklin's own.
        storage: Who looks at headers; None: Python.
        multi_line: Whether quoted values may have line breaks; one task then reads a whole file.

    Raises:
        FranklinError: A file has no header, repeats a name in it, is not UTF-8, differs from the first one's, or ends
            in a quote that nothing closes.

    """
    seen = storage or PythonStorage(files[0])
    plain = [_unpacked(spark, seen, file) if file.endswith(".zip") else file for file in files]
    eyes = [PythonStorage(now) if now != file else seen for now, file in zip(plain, files, strict=True)]
    settings = {name.lower(): value for name, value in options.items()}
    starts = {file: eye.first_line(file) for eye, file in zip(eyes, plain, strict=True)}
    # A part without a byte has no row; Spark writes such ones.
    first, *others = [file for file in plain if starts[file]] or plain
    header, delimiter = _header(starts[first], first, settings)
    for file in others:
        _compare(header, _header(starts[file], file, settings)[0], file, first)
    schema = StructType([StructField(name, StringType()) for name in (*header, UNREADABLE)])
    ours = {
        "sep": delimiter,
        "header": "true",
        "quote": '"',
        "escape": '"',
        "multiLine": str(multi_line).lower(),
        "ignoreLeadingWhiteSpace": "true",
        "ignoreTrailingWhiteSpace": "true",
        "mode": "PERMISSIVE",
        "columnNameOfCorruptRecord": UNREADABLE,
        # Without pruning every field of a line is looked at, so a line that does not fit is always noticed.
        "columnPruning": "false",
    }
    reader = spark.read.format("csv").schema(schema).options(**ours).options(**options)
    rows = reader.load([literal(file) for file in plain])
    unfit = _unfit(header)
    quote, escape = settings.get("quote", '"'), settings.get("escape", settings.get("quote", '"'))
    if multi_line and quote:
        dialect = Dialect(header, delimiter, quote, _encoding(settings))
        # With an escape of its own, a quote in a last line may be part of a value.
        ends = last_lines(dict(zip(plain, eyes, strict=True)), dialect) if escape == quote else []
        path = rows.metadataColumn("_metadata").getField("file_path")
        unfit = F.coalesce(swallowing(dialect, ends, path), unfit)
    return rows.withColumn(UNFIT, unfit)


def _unfit(header: list[str]) -> Column:
    garbled = F.greatest(F.lit(False), *(column(name).contains(REPLACED) for name in header))
    return F.when(column(UNREADABLE).isNotNull(), "line does not fit the header").when(
        garbled, "line has bytes that are no text in its encoding"
    )


def _unpacked(spark: SparkSession, storage: Storage, file: str) -> str:
    """Unpack where executors see it: Spark has no reader for zip, which cannot be split between tasks anyway."""
    name = Path(file).stem
    target = f"{spark.conf.get(UNPACKED)}/{uuid4().hex}/{name}"
    with storage.open(file) as opened:
        try:
            archive = zipfile.ZipFile(opened)
            with archive.open(name) as packed, fsspec.open(target, "wb", auto_mkdir=True) as plain:
                shutil.copyfileobj(packed, plain)
        except (zipfile.BadZipFile, KeyError) as error:
            raise FranklinError(f"{file} must be a zip file with {name} in it ({first_line(error)})") from None
    return target


def _compare(first: list[str], other: list[str], file: str, where: str) -> None:
    if first == other:
        return
    lacking = [f"lacks column '{name}' of {where}" for name in first if name not in other]
    beyond = [f"has a column '{name}' that {where} lacks" for name in other if name not in first]
    what = [*lacking, *beyond, f"has the columns of {where} in another order"][0]
    raise FranklinError(f"{file} {what}; give both the same columns in one order")


def _encoding(options: dict[str, str]) -> str:
    return options.get("encoding", options.get("charset", "UTF-8"))


def _header(start: bytes, file: str, options: dict[str, str]) -> tuple[list[str], str]:
    encoding = _encoding(options)
    try:
        line = start.decode(encoding).removeprefix("\ufeff").rstrip("\r\n")
    except (UnicodeDecodeError, LookupError):
        raise FranklinError(
            f"{file} is no readable CSV file: its first line is not {encoding}; save it as UTF-8, "
            "or say options: {encoding: ...}"
        ) from None
    if any(character < " " and character != "\t" for character in line):
        raise FranklinError(f"{file} is no CSV file, by its first line; save it as CSV or Parquet")
    if not line.strip():
        raise FranklinError(f"{file} has no header and no rows; its first line must name the columns")
    delimiter = options.get("sep", options.get("delimiter")) or max(DELIMITERS, key=line.count)
    header = next(csv.reader(io.StringIO(line), delimiter=delimiter, skipinitialspace=True))
    if "" in header:
        raise FranklinError(f"{file}: column {header.index('') + 1} has no name; the header must name each column")
    if repeated := sorted({name for name in header if header.count(name) > 1}):
        raise FranklinError(f"{file}: the header names '{repeated[0]}' more than once; give each column its own name")
    return header, delimiter
