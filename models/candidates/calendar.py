"""The main metric over calendar time: whether a candidate is as good in March as it was in January."""

from collections.abc import Callable
from typing import Literal

import numpy as np

from conf.data import Task
from conf.selecting import Period
from models.evaluation.bootstrap import drawable, estimates
from models.evaluation.metrics import Floats, Ints, judge, main_metric

MOST_PERIODS = 13  # weeks of a quarter
LEAST_ROWS = 20
Days = np.ndarray[tuple[int], np.dtype[np.datetime64]]


def periods(
    task: Task,
    scores: Floats,
    label: Floats,
    *,
    where: Ints | None,
    columns_where: str | None,
    bootstrap: int,
    seed: int,
) -> list[Period]:
    """Judge test rows by day, week, month, quarter or year: the shortest stretch of which there are at most 13.

    Weeks begin on Monday. A stretch of fewer than 20 rows, or whose rows do not define the metric, has no value. For
    intervals whole days are drawn, of a stretch with fewer than six days rows (`bootstrap.drawable`); it says which.

    Args:
        task: decides the metric.
        scores: `(rows,)` or `(rows, classes)` as `models.evaluation.metrics.judge` takes them.
        label: `(rows,)`.
        where: `(rows,)` days since 1970.
        columns_where: what `where` counts; only of days ("day") are there periods.
        bootstrap: resamples behind each 95 % interval.
        seed: of these.

    """
    if where is None or columns_where != "day" or len(where) == 0:
        return []
    starts = _starts(where.astype("datetime64[D]"))
    metric, found = main_metric(task).name, []
    for start in np.unique(starts):
        own = np.flatnonzero(starts == start)
        measured, days = {}, drawable(where[own])
        if len(own) >= LEAST_ROWS:
            measured = estimates(judge(task, scores[own], label[own]), len(own), bootstrap, seed, clusters=days)
        drawn: Literal["rows", "days"] = "rows" if days is None else "days"
        found.append(Period(start=str(start), rows=len(own), value=measured.get(metric), drawn=drawn))
    return found


def _starts(days: Days) -> Days:
    """First day of the stretch that each day is in."""
    choices: list[Callable[[Days], Days]] = [lambda days: days, _weeks, _months(1), _months(3), _months(12)]
    for choice in choices:
        starts = choice(days)
        if len(np.unique(starts)) <= MOST_PERIODS:
            return starts
    years = days.astype("datetime64[Y]")
    decade = years.astype(np.int64) + 1970
    return (years - decade % 10).astype("datetime64[D]")


def _weeks(days: Days) -> Days:
    monday = (days.astype(np.int64) + 3) % 7  # 1970 began on a Thursday
    return np.asarray(days - monday)


def _months(count: int) -> Callable[[Days], Days]:
    def starts(days: Days) -> Days:
        months = days.astype("datetime64[M]")
        return np.asarray((months - months.astype(np.int64) % count).astype("datetime64[D]"))

    return starts
