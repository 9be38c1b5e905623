"""Bring your own table: a CSV or Parquet file becomes a dataset, what is not said about it is inferred."""

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention
from pyspark.sql.types import BooleanType, DataType, NumericType, StringType

from conf.errors import FranklinError
from conf.schema import Data, DateSplit, Kind, Task
from spark_jobs.dataset import (
    DATE,
    LARGEST,
    QUARANTINED,
    ROW,
    SET_ASIDE,
    Dataset,
    as_number,
    column,
    first_reason,
    identity,
    kinds,
    observed,
    require,
)
from spark_jobs.locate import table_files
from spark_jobs.reading import UNREADABLE, read_csv, read_parquet

# What people write in a CSV file where there is no value; compared in lower case.
NO_VALUE = ("", "na", "n/a", "nan", "null", "none", "?", "-")
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


def table(spark: SparkSession, data: Data) -> Dataset:
    """Read a table and infer what was not said.

    Raises:
        FranklinError: A file or column is missing or not usable; the message names it.

    """
    rows, read = observed(_read(spark, data))
    names = [name for name in rows.columns if name != UNREADABLE]
    _check_names(data, names)
    profiles = profile(rows, names, str(data.path))
    task, reason = infer_task(data, profiles[data.label])
    found = {name: infer_kind(profiles[name]) for name in names}
    used = data.split.column if isinstance(data.split, DateSplit) else None
    if used:
        found[used] = (None, "left out: the split is by it")
    columns = kinds(data, {name: kind for name, (kind, _) in found.items() if kind}, names)
    said = {data.label, *data.columns, *data.ignore}
    inferred = {name: text for name, (_, text) in found.items() if name not in said}
    if data.task is None:
        inferred["task"] = reason
    return Dataset(_clean(rows, names, columns, data, task), read, columns, data.label, task, inferred)


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
        return "numeric", "numeric"
    hint = _hint(profile)
    if profile.distinct > DISTINCT_SHARE * profile.values:
        return None, f"left out: a different string in almost every row{f', {hint}' if hint else ''}"
    return "categorical", f"categorical: {hint}" if hint else "categorical"


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


def _read(spark: SparkSession, data: Data) -> DataFrame:
    files = table_files(data.path)
    if files[0].endswith(".parquet"):
        rows = read_parquet(spark, files, str(data.path))
        return rows.withColumn(UNREADABLE, F.lit(None).cast("string"))
    rows = read_csv(spark, files, multi_line=True)
    cleaned = [F.when(~F.lower(column(n)).isin(*NO_VALUE), column(n)).alias(n) for n in rows.columns if n != UNREADABLE]
    return rows.select(*cleaned, UNREADABLE)


def _check_names(data: Data, names: list[str]) -> None:
    where = str(data.path)
    require(data.label, names, f"data.label in {where}")
    if isinstance(data.split, DateSplit):
        require(data.split.column, names, f"data.split.column in {where}")
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


def _clean(rows: DataFrame, names: list[str], columns: dict[str, Kind], data: Data, task: Task) -> DataFrame:
    wrong = {
        f"'{name}' is not a number": column(name).isNotNull() & as_number(column(name)).isNull() & _not_nan(name)
        for name, kind in columns.items()
        if kind == "numeric"
    }
    label = as_number(column(data.label)) if task == "regression" else column(data.label).cast("string")
    if task == "regression":
        wrong[f"label '{data.label}' is beyond every 32-bit float"] = F.abs(label) > LARGEST
    broken = first_reason({"line does not fit the header": column(UNREADABLE).isNotNull(), **wrong})
    date = F.lit(None).cast("date")
    if isinstance(data.split, DateSplit):
        date = column(data.split.column).try_cast("date")
    raw = F.to_json(F.struct(*map(column, names)))
    return rows.withColumn(QUARANTINED, broken).select(
        *(
            (as_number(column(name)) if kind == "numeric" else column(name).cast("string")).alias(name)
            for name, kind in columns.items()
        ),
        label.alias(data.label),
        identity(map(column, names)),
        date.alias(DATE),
        QUARANTINED,
        F.when(label.isNull(), "no label").alias(SET_ASIDE),
        F.when(column(QUARANTINED).isNotNull(), F.coalesce(column(UNREADABLE), raw)).alias(ROW),
    )


def _not_nan(name: str) -> Column:
    return F.lower(column(name).cast("string")) != "nan"
