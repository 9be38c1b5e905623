"""What a source hands on: rows with features, label and, for rows that are no examples, the reason why."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention
from pyspark.sql.types import DataType

from conf.checks import Checks
from conf.data import Data, Task
from conf.errors import FranklinError, closest
from conf.kinds import CategoricalKind, CyclicKind, Kind, NumericKind, TensorKind, TimeKind
from conf.splits import AnySplit, DateSplit, FoldSplit, GroupSplit, HashSplit, StratifiedSplit
from spark_jobs.arrays import LARGEST, holds_arrays, read_array, unfit

# Columns beside the features and the label. Names that start with two underscores are franklin's.
QUARANTINED, SET_ASIDE, ROW, KEY = "__quarantined", "__set_aside", "__row", "__key"
DATE, SIDE, STRATUM = "__date", "__side", "__stratum"
OUTSIDE = "outside data.window"


@dataclass(frozen=True)
class Dataset:
    """Rows of a source, cleaned but not yet split.

    Attributes:
        rows: The feature columns (double if numeric, array of doubles if a tensor, else string), the label (double
            for a regression, else string), `__quarantined` and `__set_aside` (the reason, or null), `__row` (a
            quarantined row as it came, in JSON), `__key` (see `identity`), and what the split goes by (see `placing`).
            Of a sequence, the label is the feature.
        read: Has the number of `rows` read and their `newest` date, once something was computed from `rows`.
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


def observed(rows: DataFrame, checks: Checks) -> tuple[DataFrame, Observation]:
    """Have `rows` counted, and the `newest` date found that `checks` ask for, by whatever reads the rows first."""
    read = Observation()
    dates = as_date(checks.freshness.column) if checks.freshness else F.lit(None).cast("date")
    return rows.observe(read, F.count(F.lit(1)).alias("rows"), F.max(dates).alias("newest")), read


def identity(values: Iterable[Column]) -> Column:
    """Hash a row by all that was read of it: no choice of features, kinds or label moves it to another split."""
    # Written out, since Spark hashes no maps.
    return F.xxhash64(*(value.cast("string") for value in values)).alias(KEY)


def placing(split: AnySplit, label: Column, day: str | None = None) -> list[Column]:
    """Return what the split goes by: `__date`, `__side` (a hash; rows with the same one stay together), `__stratum`.

    Each is null where the row has no such value, or where the split does not go by it; the date is then that of `day`.
    """
    date, side, stratum = as_date(day) if day else F.lit(None).cast("date"), column(KEY), F.lit(None).cast("string")
    if isinstance(split, DateSplit):
        date = as_date(split.column)
    elif isinstance(split, HashSplit) and split.key:
        side = F.when(~incomplete(split.key), identity(map(column, split.key)))
    elif isinstance(split, StratifiedSplit):
        stratum = (column(split.column) if split.column else label).cast("string")
    elif isinstance(split, GroupSplit | FoldSplit) and split.column:
        side = F.when(column(split.column).isNotNull(), identity([column(split.column)]))
    return [date.alias(DATE), side.alias(SIDE), stratum.alias(STRATUM)]


def split_columns(split: AnySplit) -> list[str]:
    """Name the columns of the dataset that the split goes by."""
    if isinstance(split, HashSplit):
        return split.key or []
    return [split.column] if split.column else []


def placeless(split: AnySplit) -> dict[str, Column]:
    """Return the reason and the condition of rows that have nothing to be split by; without a label, one is none."""
    if isinstance(split, DateSplit):
        return {f"no date in '{split.column}'": as_date(split.column).isNull()}
    names = split_columns(split)
    said = " or ".join(f"'{name}'" for name in names)
    return {f"no value in {said}": incomplete(names)} if names else {}


def incomplete(key: list[str]) -> Column:
    """Return whether a column of a key is missing."""
    return F.greatest(F.lit(False), *(column(name).isNull() for name in key))


def first_reason(checks: dict[str, Column]) -> Column:
    """Return the first reason whose condition holds, else null; a condition that is null does not hold."""
    return F.coalesce(F.lit(None), *(F.when(broken, F.lit(reason)) for reason, broken in checks.items()))


def as_date(name: str) -> Column:
    """Read a column as a date, whatever it has; what is none is null."""
    return column(name).cast("string").try_cast("date")


def as_number(values: Column) -> Column:
    """Read as double; what is no number, NaN included, is null."""
    return F.nanvl(values.try_cast("double"), F.lit(None).cast("double"))


def read_as(values: Column, kind: Kind, stored: DataType | None = None) -> Column:
    """Read a value as its kind takes it: double, string, time (ISO 8601, UTC, to the second) or array, else null.

    What is `stored`, the value's type, is asked for a tensor alone.
    """
    if isinstance(kind, TensorKind):
        return read_array(values, stored)
    if isinstance(kind, NumericKind | CyclicKind):
        return as_number(values)
    if isinstance(kind, TimeKind):
        return F.date_format(values.try_cast("timestamp"), "yyyy-MM-dd'T'HH:mm:ss'Z'")
    return values.cast("string")


def misread(name: str, kind: Kind, stored: DataType | None = None) -> dict[str, Column]:
    """Return the reasons and conditions of a value that its kind cannot take; missing ones it can, unless a tensor."""
    if isinstance(kind, CategoricalKind):
        return {}
    if isinstance(kind, TensorKind):
        return unfit(name, read_array(column(name), stored), kind)
    missing = column(name).isNull() | (F.lower(column(name).cast("string")) == "nan")
    noun = "time" if isinstance(kind, TimeKind) else "number"
    return {f"'{name}' is not a {noun}": ~missing & read_as(column(name), kind).isNull()}


def beyond(values: Mapping[str, Column]) -> dict[str, Column]:
    """Return the reasons and conditions of numbers that networks cannot reckon with."""
    return {f"'{name}' is beyond every 32-bit float": F.abs(value) > LARGEST for name, value in values.items()}


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


def kinds(
    data: Data, inferred: dict[str, Kind], there: Iterable[str], types: Mapping[str, DataType] | None = None
) -> dict[str, Kind]:
    """Return the kind of each feature: as inferred, unless said in `data.columns`, without those in `data.ignore`.

    `types` are those of the columns that may hold arrays.

    Raises:
        FranklinError: `data.columns` or `data.ignore` names an unknown column, a tensor holds no arrays, or nothing is
            left to learn from.

    """
    names = [name for name in there if name != data.label or data.task == "sequence"]
    for key, said in (("data.columns", data.columns), ("data.ignore", data.ignore)):
        for name in said:
            require(name, names, key)
    chosen = {name: data.columns.get(name, inferred.get(name)) for name in names if name not in data.ignore}
    features = {name: kind for name, kind in chosen.items() if kind is not None}
    for name, kind in features.items():
        if isinstance(kind, TensorKind) and not (types and holds_arrays(types[name])):
            raise FranklinError(
                f"data.columns.{name}: a tensor is made of arrays, and '{name}' holds none; say another kind"
            )
    if not features:
        raise FranklinError(f"data.ignore leaves {data.name} no feature column; name fewer, or kinds in data.columns")
    return features
