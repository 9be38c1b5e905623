"""Rows that are none: each reader adds two columns, `__unreadable`, the line as it came, and `__unfit`, the reason."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

# Beside the columns of a table as it is read. The line is null where only a value of it is wrong.
UNREADABLE, UNFIT = "__unreadable", "__unfit"
# What people write in a CSV file where there is no value; compared in lower case.
NO_VALUE = ("", "na", "n/a", "nan", "null", "none", "?", "-")


def names(rows: DataFrame) -> list[str]:
    """Name the columns of the table itself."""
    return [name for name in rows.columns if name not in (UNREADABLE, UNFIT)]


def fitting(rows: DataFrame) -> DataFrame:
    """Add the two columns where every row is one."""
    nothing = F.lit(None).cast("string")
    return rows.withColumns({UNREADABLE: nothing, UNFIT: nothing})
