"""What a source hands on: rows with features, label and, for rows that are no examples, the reason why."""

from collections.abc import Iterable
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from conf.errors import FranklinError, closest
from conf.schema import Data, Kind, Task

# Columns beside the features and the label. Names that start with two underscores are franklin's.
QUARANTINED, SET_ASIDE, DATE, ROW, KEY = "__quarantined", "__set_aside", "__date", "__row", "__key"

LARGEST = 3.4028234663852886e38  # of 32-bit floats, in which networks reckon


@dataclass(frozen=True)
class Dataset:
    """Rows of a source, cleaned but not yet split.

    Attributes:
        rows: The feature columns (double if numeric, string if categorical), the label (double for a regression,
            else string), `__quarantined` and `__set_aside` (the reason, or null), `__row` (a quarantined row as it
            came, in JSON), `__date` (null unless the split is by date) and `__key` (see `identity`).
        read: Has the number of `rows` read, once something was computed from `rows`.
        columns: Kind of each feature.
        label: Name of the label column.
        task: What is to be predicted of it.
        inferred: What was not said but inferred.

    """

    rows: DataFrame
    read: Observation
    columns: dict[str, Kind]
    label: str
    task: Task
    inferred: dict[str, str]


def column(name: str) -> Column:
    """Return the column of that exact name, whatever characters it has."""
    return F.col("`" + name.replace("`", "``") + "`")


def observed(rows: DataFrame) -> tuple[DataFrame, Observation]:
    """Have rows counted in passing, under the name `rows`, by whatever reads them first."""
    read = Observation()
    return rows.observe(read, F.count(F.lit(1)).alias("rows")), read


def identity(values: Iterable[Column]) -> Column:
    """Hash a row by all that was read of it: no choice of features, kinds or label moves it to another split."""
    # Written out, since Spark hashes no maps.
    return F.xxhash64(*(value.cast("string") for value in values)).alias(KEY)


def first_reason(checks: dict[str, Column]) -> Column:
    """Return the first reason whose condition holds, else null; a condition that is null does not hold."""
    return F.coalesce(*(F.when(broken, F.lit(reason)) for reason, broken in checks.items()))


def as_number(values: Column) -> Column:
    """Read as double; what is no number, NaN included, is null."""
    return F.nanvl(values.try_cast("double"), F.lit(None).cast("double"))


def require(name: str, there: Iterable[str], where: str) -> None:
    """Refuse a column that is not there.

    Raises:
        FranklinError: It is not; the nearest name is suggested.

    """
    names = list(there)
    if name not in names:
        close = closest(name, names)
        way_out = f"did you mean '{close}'?" if close else f"it has {', '.join(sorted(names))}"
        raise FranklinError(f"{where}: there is no column '{name}'; {way_out}")


def kinds(data: Data, inferred: dict[str, Kind], there: Iterable[str]) -> dict[str, Kind]:
    """Return the kind of each feature: as inferred, unless said in `data.columns`, without those in `data.ignore`.

    Raises:
        FranklinError: `data.columns` or `data.ignore` names an unknown column, or nothing is left to learn from.

    """
    names = [name for name in there if name != data.label]
    for key, said in (("data.columns", data.columns), ("data.ignore", data.ignore)):
        for name in said:
            require(name, names, key)
    chosen = {name: data.columns.get(name, inferred.get(name)) for name in names if name not in data.ignore}
    features = {name: kind for name, kind in chosen.items() if kind is not None}
    if not features:
        raise FranklinError(f"data.ignore leaves {data.name} no feature column; name fewer, or kinds in data.columns")
    return features
