"""Bring your own table: files or a database's table become a dataset, what is not said about it is inferred."""

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention
from pyspark.sql.types import BooleanType, DataType, NumericType, StringType

from conf.data import Data, Task
from conf.errors import FranklinError
from conf.kinds import CategoricalKind, Kind, NumericKind, TensorKind
from conf.splits import StratifiedSplit
from spark_jobs.arrays import LARGEST
from spark_jobs.checks import broken, check_names
from spark_jobs.cleaning import Meaning, clean
from spark_jobs.dataset import (
    Dataset,
    as_number,
    column,
    kinds,
    misread,
    observed,
    read_as,
    require,
    split_columns,
)
from spark_jobs.landing import landed
from spark_jobs.sources import lines
from spark_jobs.sources.days import by_day
from spark_jobs.sources.joins import Joined, joined
from spark_jobs.sources.reading import located, read, read_files

# A column of strings with more distinct values than this share of its rows tells rows apart and nothing else.
DISTINCT_SHARE = 0.9
# Of a column of strings, what so many are is hinted at.
MOST_SHARE = 0.9
# Registers of the sketch that counts distinct values, as a power of two: a standard error below 1 %.
SKETCH = 14
# Labels have at most so many classes; integers with more than the second are taken for amounts unless said otherwise.
MOST_CLASSES, MOST_INTEGER_CLASSES = 200, 20


@dataclass(frozen=True)
class Profile:
    """What one pass tells of a column: rows with a value, distinct values (about), numbers, extremes, dates, ..."""

    type: DataType
    values: int
    distinct: int
    numbers: int
    integers: int
    low: float | None
    high: float | None
    constant: bool
    dates: int


def table(spark: SparkSession, data: Data, days: str) -> Dataset:
    """Read a table, its folders of days only where `days` has not got them yet, and infer what was not said.

    Raises:
        FranklinError: A file or column is missing or not usable; the message names it.

    """
    first = _read(spark, data, days)
    own = lines.names(first)
    if data.checks.freshness:
        require(data.checks.freshness.column, own, "data.checks.freshness.column")
    first, seen = observed(first, data.checks)
    whole = joined(spark, first, data.joins)
    rows, names = whole.rows, whole.names
    _check_names(data, names)
    types = {field.name: field.dataType for field in rows.schema}
    scalars = [name for name in names if not isinstance(data.columns.get(name), TensorKind)]
    profiles = profile(rows, scalars, str(data.path))
    task, reason = infer_task(data, profiles[data.label])
    found = {name: infer_kind(profiles[name]) for name in scalars}
    if not isinstance(data.split, StratifiedSplit):
        found |= dict.fromkeys(split_columns(data.split), (None, "left out: the split is by it"))
    if data.day:
        found[data.day] = (None, "left out: it says the day")
    columns = kinds(data, {name: kind for name, (kind, _) in found.items() if kind}, names, types)
    said = {data.label, *data.columns, *data.ignore}
    inferred = {name: text for name, (_, text) in found.items() if name not in said}
    if data.task is None:
        inferred["task"] = reason
    return Dataset(_clean(whole, own, columns, data, task), seen, columns, data.label, task, inferred)


def profile(rows: DataFrame, names: list[str], path: str) -> dict[str, Profile]:
    """Profile every column in one aggregation.

    Raises:
        FranklinError: There is no row.

    """
    types = {field.name: field.dataType for field in rows.schema}
    asked = [_asked(column(name), types[name]) for name in names]
    found = rows.agg(F.struct(F.count("*").alias("rows")), *asked).head()
    if found is None or not found[0].rows:
        raise FranklinError(f"{path} has no rows; name another file in data.path")
    return {name: Profile(types[name], **one.asDict()) for name, one in zip(names, found[1:], strict=True)}


def infer_kind(profile: Profile) -> tuple[Kind | None, str]:
    """Return the kind of a feature, or None and why it is none."""
    plain = isinstance(profile.type, NumericType | StringType | BooleanType)
    if not plain:
        return None, f"left out: {profile.type.simpleString()}"
    if profile.constant:
        return None, "left out: constant"
    if _is_counter(profile):
        return None, "left out: counts the rows"
    if isinstance(profile.type, NumericType) or profile.numbers == profile.values:
        return NumericKind(), "numeric"
    hint = _hint(profile)
    if profile.distinct > DISTINCT_SHARE * profile.values:
        return None, f"left out: a different string in almost every row{f', {hint}' if hint else ''}"
    return CategoricalKind(), f"categorical: {hint}" if hint else "categorical"


def _hint(profile: Profile) -> str:
    """What a column of strings may be meant as."""
    most = MOST_SHARE * profile.values
    if profile.dates >= most:
        return "looks like a date; split by it, or ignore it"
    if profile.numbers >= most:
        share = profile.numbers / profile.values
        return f"though {share:.1%} are numbers; say numeric in data.columns, and the others are quarantined"
    return ""


def infer_task(data: Data, profile: Profile) -> tuple[Task, str]:
    """Return the task that the label is for, unless it was said.

    Raises:
        FranklinError: The label has no value, one value only, too many classes, or no numbers for a regression.

    """
    label, numeric = data.label, profile.values and profile.numbers == profile.values
    if profile.constant:
        raise FranklinError(f"label '{label}' is the same in every row, so there is nothing to learn; choose another")
    if data.task == "regression" and not numeric:
        other = "binary" if profile.distinct == 2 else "multiclass"  # noqa: PLR2004
        raise FranklinError(f"label '{label}' has values that are no numbers; say data.task={other}")
    few = not numeric or (profile.integers == profile.values and profile.distinct <= MOST_INTEGER_CLASSES)
    task = data.task or ("binary" if profile.distinct == 2 else "multiclass" if few else "regression")  # noqa: PLR2004
    if task != "regression" and profile.distinct > MOST_CLASSES:
        # Only numbers have the first way out.
        regression = "say data.task=regression, or " if numeric else ""
        raise FranklinError(
            f"label '{label}' has about {profile.distinct} classes, more than {MOST_CLASSES}; "
            f"{regression}choose another data.label and leave this column out: data.ignore=[{label}]"
        )
    return task, task


def _read(spark: SparkSession, data: Data, days: str) -> DataFrame:
    if data.of_database:
        return read(spark, data)
    table = located(spark, data)
    if data.day and by_day(table.files, data.day):
        return landed(spark, data, table, days)
    return read_files(spark, table, table.files)


def _check_names(data: Data, names: list[str]) -> None:
    where = str(data.path)
    require(data.label, names, f"data.label in {where}")
    for name in split_columns(data.split):
        require(name, names, f"data.split in {where}")
    if data.day:
        require(data.day, names, f"data.day in {where}")
    check_names(data.checks, names)
    for name in names:
        if name.startswith("__") or name.endswith("__missing"):
            raise FranklinError(f"{where}: column '{name}' has a name that franklin keeps for itself; rename it")


def _asked(values: Column, kind: DataType) -> Column:
    """Ask for the fields of a profile; columns that are no plain values only for those that need no order."""
    number = as_number(values) if isinstance(kind, NumericType | StringType) else F.lit(None).cast("double")
    text = values.cast("string")
    return F.struct(
        F.count(text).alias("values"),
        # One binary buffer a column; approx_count_distinct has some 1,600 slots at this precision.
        F.hll_sketch_estimate(F.hll_sketch_agg(text, SKETCH)).alias("distinct"),
        F.count(number).alias("numbers"),
        F.count_if(number == F.rint(number)).alias("integers"),  # floor has no room for large ones
        F.min(number).alias("low"),
        F.max(number).alias("high"),
        F.coalesce(F.min(text) == F.max(text), F.lit(True)).alias("constant"),
        F.count(text.try_cast("date")).alias("dates"),
    )


def _is_counter(profile: Profile) -> bool:
    if profile.low is None or profile.high is None or profile.integers != profile.values:
        return False
    return profile.high - profile.low + 1 == profile.values and profile.distinct > DISTINCT_SHARE * profile.values


def _clean(whole: Joined, own: list[str], columns: dict[str, Kind], data: Data, task: Task) -> DataFrame:
    """Itself, a row is what the first table says (`own` columns)."""
    types = {field.name: field.dataType for field in whole.rows.schema}
    wrong = {why: when for name, kind in columns.items() for why, when in misread(name, kind, types[name]).items()}
    label = as_number(column(data.label)) if task == "regression" else column(data.label).cast("string")
    if task == "regression":
        wrong[f"label '{data.label}' is beyond every 32-bit float"] = F.abs(label) > LARGEST
    meaning = Meaning(
        features={name: read_as(column(name), kind, types[name]) for name, kind in columns.items()},
        kinds=columns,
        label=label,
        no_example=F.lit("no label"),
        own=own,
        rules=whole.rules | broken(data.checks) | wrong,
    )
    return clean(whole.rows, meaning, data)
