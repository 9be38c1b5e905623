"""The metric over calendar time: every row is in one period, of a length that leaves few of them."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.candidates.calendar import periods
from models.evaluation.bootstrap import estimates
from models.evaluation.metrics import judge

GENERATOR = np.random.default_rng(0)


def _found(days: list[int] | np.ndarray, truth: np.ndarray | None = None) -> list:
    where = np.asarray(days, dtype=np.int64)
    label = GENERATOR.normal(size=len(where)) if truth is None else truth
    return periods("regression", label + 1, label, where=where, columns_where="day", bootstrap=5, seed=0)


@given(st.lists(st.integers(-20_000, 40_000), min_size=1, max_size=60))
def test_every_row_is_in_one_period(days: list[int]) -> None:
    found = _found(days)
    assert sum(period.rows for period in found) == len(days)
    starts = [period.start for period in found]
    assert starts == sorted(set(starts))
    first = date.fromordinal(date(1970, 1, 1).toordinal() + min(days)).isoformat()
    assert starts[0] <= first


@pytest.mark.parametrize(("span", "starts"), [(10, 10), (60, 9), (200, 7), (1_000, 11), (3_000, 9)])
def test_periods_are_as_short_as_leaves_few(span: int, starts: int) -> None:
    assert len(_found(np.arange(15_706, 15_706 + span))) == starts  # from 2013-01-01, a Tuesday


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    assert [period.start for period in _found(np.arange(15_706, 15_746))][:2] == ["2012-12-31", "2013-01-07"]
    assert [period.start for period in _found(np.arange(15_706, 15_906))][:2] == ["2013-01-01", "2013-02-01"]


def test_a_period_has_the_metric_of_its_own_rows() -> None:
    days = np.repeat([100, 101], 50)
    label = np.zeros(100)
    found = periods(
        "regression", np.repeat([3.0, 5.0], 50), label, where=days, columns_where="day", bootstrap=20, seed=0
    )
    assert [period.value.value for period in found if period.value] == [3, 5]
    assert all(period.value and period.value.low == period.value.high for period in found)


def test_few_rows_and_one_class_alone_have_no_value() -> None:
    days = np.r_[np.repeat(0, 19), np.repeat(1, 40), np.repeat(2, 40)]
    label = np.r_[np.tile([0.0, 1.0], 10)[:19], np.zeros(40), np.tile([0.0, 1.0], 20)]
    scores = np.linspace(0, 1, 99)
    found = periods("binary", scores, label, where=days, columns_where="day", bootstrap=10, seed=0)
    assert [period.value is None for period in found] == [True, True, False]


def test_whole_days_are_drawn_where_a_period_has_six() -> None:
    days = np.repeat(np.arange(15_706, 15_706 + 17), 10)  # from Tuesday: six days, a week, four days
    errors = np.random.default_rng(0).uniform(1, 3, 17).repeat(10)  # all rows of a day err alike
    found = periods("regression", errors, np.zeros(170), where=days, columns_where="day", bootstrap=100, seed=0)
    assert [period.drawn for period in found] == ["days", "days", "rows"]
    own = (days >= 15_712) & (days < 15_719)
    by_rows = estimates(judge("regression", errors[own], np.zeros(70)), 70, 100, 0)["rmse"]
    assert found[1].value.high - found[1].value.low > 2 * (by_rows.high - by_rows.low)


def test_rows_without_days_have_no_periods() -> None:
    label = np.zeros(30)
    group = np.arange(30)
    assert periods("regression", label, label, where=None, columns_where=None, bootstrap=5, seed=0) == []
    assert periods("regression", label, label, where=group, columns_where="group", bootstrap=5, seed=0) == []
