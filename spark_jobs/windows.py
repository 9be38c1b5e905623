"""Which days of rows are wanted: those outside are set aside, rows without a day are quarantined."""

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from conf.data import Data
from conf.errors import FranklinError
from spark_jobs.dataset import as_date, column, first_reason
from spark_jobs.sources.days import bounds
from spark_jobs.sources.lines import UNFIT


def settled(rows: DataFrame, data: Data, rules: dict[str, Column]) -> Data:
    """Say a window of the newest days by dates; the newest day is that of the rows which keep the rules.

    Newer rows, of which each breaks a rule, are in it: they are to be quarantined and counted.

    Raises:
        FranklinError: No such row has a date, or the newest is in the future.

    """
    if not data.window or not data.day or not data.window.endswith("d"):
        return data
    good = column(UNFIT).isNull() & first_reason(rules).isNull()
    # Spark has dates that Python has not.
    day = F.least(as_date(data.day), F.lit(date.max))
    found = rows.where(good).agg(F.max(day)).head()
    if found is None or found[0] is None:
        raise FranklinError(f"data.day: '{data.day}' has no dates, so there is no window of days")
    low, _ = bounds(data.window, found[0])
    return data.model_copy(update={"window": f"{low}..{date.max}"})


def outside(data: Data) -> Column:
    """Return whether a row's day is known, and not in the window (as `settled` has it)."""
    if not data.window or not data.day:
        return F.lit(False)
    low, high = bounds(data.window, date.max)
    return F.coalesce(~as_date(data.day).between(F.lit(low), F.lit(high)), F.lit(False))


def undated(data: Data) -> dict[str, Column]:
    """Return the reason and the condition of rows of which nobody can tell whether they are in the window."""
    return {f"no date in '{data.day}'": as_date(data.day).isNull()} if data.window and data.day else {}
