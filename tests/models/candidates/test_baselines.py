"""Baselines know labels alone."""

import numpy as np

from models.candidates import named
from models.candidates.rows import Rows
from tests.models.candidates.made import rows_of


def fit(name: str, rows: Rows) -> np.ndarray:
    return named(name).fit(rows, seed=0, values={}, threads=1).predict(rows)


def test_mean_and_median() -> None:
    rows = rows_of(np.zeros((4, 1)), [1, 2, 3, 10], "regression")
    assert set(fit("mean", rows)) == {4.0}
    assert set(fit("median", rows)) == {2.5}


def test_shares_of_classes() -> None:
    assert set(fit("majority", rows_of(np.zeros((4, 1)), [0, 0, 0, 1], "binary"))) == {0.25}
    np.testing.assert_array_equal(
        fit("majority", rows_of(np.zeros((4, 1)), [0, 2, 2, 2], "multiclass"))[0], [0.25, 0, 0.75]
    )


def test_the_last_value_is_that_of_the_newest_day() -> None:
    days = [5, 9, 9, 7]
    assert set(fit("last_value", rows_of(np.zeros((4, 1)), [1, 2, 4, 10], "regression", where=days, kind="day"))) == {3}
    assert set(fit("last_value", rows_of(np.zeros((4, 1)), [1, 0, 1, 1], "binary", where=days, kind="day"))) == {0.5}


def test_there_is_a_last_value_of_days_alone() -> None:
    rows = rows_of(np.zeros((4, 1)), [1, 2, 4, 10], "regression", where=[0, 1, 0, 1], kind="group")
    assert not named("last_value").suits(rows.columns)
    assert not named("last_value").suits(rows_of(np.zeros((4, 1)), [1, 2, 4, 10], "regression").columns)
