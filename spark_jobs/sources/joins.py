"""Further tables, joined to the first: each row gets the one row there with its key, and stays the one row it is."""

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention
from pyspark.sql.types import DataType, DatetimeType, NumericType, StringType

from conf.errors import FranklinError
from conf.places import Join
from spark_jobs.dataset import column, require
from spark_jobs.sources import lines
from spark_jobs.sources.lines import UNFIT
from spark_jobs.sources.reading import read


@dataclass(frozen=True)
class Joined:
    """Rows with the columns of all tables (`names`), and the reasons and conditions of those that found no one row."""

    rows: DataFrame
    names: list[str]
    rules: dict[str, Column]


def joined(spark: SparkSession, rows: DataFrame, joins: list[Join]) -> Joined:
    """Join tables one after the other; a later key may be a column that an earlier table has brought.

    Raises:
        FranklinError: A table cannot be read to its last line, a key is not there, or a name is there already.

    """
    all_of_them = Joined(rows, lines.names(rows), {})
    for join in joins:
        table = read(spark, join)
        _check_readable(table, join)
        all_of_them = _join(all_of_them, table, join)
    return all_of_them


def _join(left: Joined, table: DataFrame, join: Join) -> Joined:
    for here, there in join.keys.items():
        require(here, left.names, f"data.joins.{join.name}.on")
        require(there, lines.names(table), f"data.joins.{join.name}.on in {join.path}")
    values = [name for name in lines.names(table) if name not in join.keys.values()]
    added = {name: f"{join.name}_{name}" for name in values}
    if repeated := sorted(set(added.values()) & set(left.names)):
        raise FranklinError(f"data.joins.{join.name}: there is a column '{repeated[0]}' already; say another name")
    ours, theirs = zip(*(_alike(left.rows, table, join, *pair) for pair in join.keys.items()), strict=True)
    marks, count = [f"__{join.name}_key_{i}" for i in range(len(theirs))], f"__{join.name}_rows"
    found = table.select(
        *(key.alias(mark) for key, mark in zip(theirs, marks, strict=True)),
        F.struct(F.lit(1).alias("__is"), *map(column, values)).alias("__one"),
    )
    # One row for each key, so that no row is doubled; where there were several, none of them is meant.
    one = found.groupBy(*map(column, marks)).agg(F.any_value("__one").alias("__one"), F.count("*").alias(count))
    chosen = [column("__one").getField(name).alias(new) for name, new in added.items()]
    one = one.select(*map(column, marks), column(count), *chosen)
    same = [key == column(mark) for key, mark in zip(ours, marks, strict=True)]
    rules = {f"{join.name} has several rows for it": column(count) > 1}
    if join.unmatched == "quarantine":
        rules[f"{join.name} has no row for it"] = column(count).isNull()
    rows = left.rows.join(one, same, "left").drop(*marks)
    return Joined(rows, [*left.names, *added.values()], left.rules | rules)


def _alike(rows: DataFrame, table: DataFrame, join: Join, here: str, there: str) -> tuple[Column, Column]:
    """Return both sides of a key, of which one is read as what the other is, if it is text.

    Raises:
        FranklinError: They are of types that have nothing in common.

    """
    ours, theirs = _type(rows, here), _type(table, there)
    if isinstance(ours, StringType) and not isinstance(theirs, StringType):
        return column(here).try_cast(theirs), column(there)
    if isinstance(theirs, StringType) and not isinstance(ours, StringType):
        return column(here), column(there).try_cast(ours)
    akin = any(isinstance(ours, kind) and isinstance(theirs, kind) for kind in (NumericType, DatetimeType))
    if ours != theirs and not akin:
        raise FranklinError(
            f"data.joins.{join.name}.on: '{here}' is {ours.simpleString()}, and '{there}' in {join.path} is "
            f"{theirs.simpleString()}; write both alike"
        )
    return column(here), column(there)


def _type(rows: DataFrame, name: str) -> DataType:
    return next(field.dataType for field in rows.schema if field.name == name)


def _check_readable(table: DataFrame, join: Join) -> None:
    """Refuse a table with lines that are no rows: those they belong to would be without, and nobody would know."""
    bad = table.where(column(UNFIT).isNotNull())
    # Spark counts unreadable lines only beside something else of theirs.
    found = bad.agg(F.count("*"), F.first(UNFIT), F.count(column(lines.names(table)[0]))).head()
    if found and found[0]:
        raise FranklinError(
            f"data.joins.{join.name}: {found[0]:,} lines of {join.path} are no rows ({found[1]}); mend them"
        )
