"""Intervals hold the truth as often as they say, of days as well, repeat by seed, and pairing sees what two do not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.data import Task
from models.evaluation.bootstrap import difference, drawable, drawn, estimates, resamples, tails
from models.evaluation.metrics import Floats, judge

TASKS: tuple[Task, ...] = ("binary", "regression")
seeds = st.integers(0, 2**32 - 1)


def test_a_resample_has_as_many_rows_and_repeats_by_seed() -> None:
    first, again, other = (np.stack(list(resamples(50, 4, seed))) for seed in (1, 1, 2))
    assert (first.sum(axis=1) == 50).all()
    assert (first == again).all()
    assert (first != other).any()


def test_intervals_cover_the_true_value_about_95_times_in_100() -> None:
    generator = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        error = generator.normal(0, 3, 300)
        found = estimates(judge("regression", np.asarray(error, np.float64), np.zeros(300)), 300, 200, seed=trial)[
            "rmse"
        ]
        assert found.low <= found.value <= found.high
        covered += found.low <= 3 <= found.high
    assert 180 <= covered <= 198  # 190 expected; the percentile interval is a little short


def test_pairing_sees_a_small_gain_that_separate_intervals_hide() -> None:
    generator = np.random.default_rng(0)
    label = generator.normal(0, 10, 2000)
    old: Floats = label + generator.normal(0, 3, 2000)
    new: Floats = label + (old - label) * 0.99
    ours, theirs = judge("regression", new, label), judge("regression", old, label)
    found = difference("rmse", ours, theirs, rows=2000, count=200, seed=1)
    assert found
    assert found.high < 0
    separate = [estimates(judged, 2000, 200, seed=1)["rmse"] for judged in (ours, theirs)]
    assert separate[0].high > separate[1].low


def test_a_model_is_not_better_than_itself() -> None:
    generator = np.random.default_rng(0)
    label, scores = generator.integers(0, 2, 500) * 1.0, generator.random(500)
    same = judge("binary", scores, label)
    found = difference("auc", same, same, rows=500, count=50, seed=1)
    assert found
    assert (found.value, found.low, found.high) == (0, 0, 0)


def _rows(task: Task, seed: int, days: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, labels, and the day of each row, some of them with many rows, none without."""
    generator = np.random.default_rng(seed)
    where = np.sort(np.r_[np.arange(days), generator.integers(0, days, 3 * days) ** 2 // days]) * 7 - 40
    label = generator.normal(size=len(where))
    scores = label + generator.normal(size=len(where))
    return (1 / (1 + np.exp(-scores)), (label > 0) * 1.0, where) if task == "binary" else (scores, label, where)


def _flat(found: dict) -> list[float]:
    return [edge for each in found.values() for edge in (each.value, each.low, each.high)]


@settings(max_examples=20)
@given(st.sampled_from(TASKS), seeds, st.lists(st.integers(-(2**40), 2**40), min_size=8, max_size=60, unique=True))
def test_days_of_one_row_each_are_drawn_as_rows_are(task: Task, seed: int, days: list[int]) -> None:
    scores, label, _ = _rows(task, seed, len(days))
    one = judge(task, scores[: len(days)], label[: len(days)])
    other = judge(task, -scores[: len(days)], label[: len(days)])
    rows, clusters = len(days), np.array(sorted(days))
    assert estimates(one, rows, 20, seed, clusters=clusters) == estimates(one, rows, 20, seed)
    paired = {"rows": rows, "count": 20, "seed": seed}
    assert difference("brier", one, other, clusters=clusters, **paired) == difference("brier", one, other, **paired)


@settings(max_examples=20)
@given(st.sampled_from(TASKS), seeds, st.integers(6, 40))
def test_in_which_order_rows_stand_does_not_matter_to_days(task: Task, seed: int, days: int) -> None:
    scores, label, where = _rows(task, seed, days)
    order = np.random.default_rng(seed).permutation(len(where))
    sorted_, mixed = (
        estimates(judge(task, scores[places], label[places]), len(where), 20, seed, clusters=where[places])
        for places in (np.arange(len(where)), order)
    )
    assert _flat(sorted_) == pytest.approx(_flat(mixed))


@settings(max_examples=20)
@given(st.sampled_from(TASKS), seeds, st.integers(20, 60))
def test_rows_that_are_there_four_times_narrow_the_interval_of_rows_and_not_of_days(
    task: Task, seed: int, days: int
) -> None:
    scores, label, where = _rows(task, seed, days)
    places = np.arange(len(where)).repeat(4)
    count, metric = 100, "brier" if task == "binary" else "rmse"

    def width(chosen: np.ndarray, clusters: np.ndarray | None) -> float:
        judged = judge(task, scores[chosen], label[chosen])
        found = estimates(judged, len(chosen), count, seed, clusters=clusters)[metric]
        return found.high - found.low

    once = np.arange(len(where))
    assert width(places, where[places]) == pytest.approx(width(once, where))
    assert width(places, None) < 0.8 * width(once, None)


@pytest.mark.parametrize("days", [6, 12])
def test_intervals_of_few_days_cover_what_other_days_would_say(days: int) -> None:
    generator = np.random.default_rng(0)
    where = np.arange(days).repeat(10)
    covered = {"days": 0, "rows": 0}
    for trial in range(200):
        errors = np.abs(10 + generator.normal(0, 1, days).repeat(10) + generator.normal(0, 1, 10 * days))
        judged = judge("regression", errors, np.zeros(10 * days))
        for name, clusters in (("days", where), ("rows", None)):
            found = estimates(judged, len(where), 200, seed=trial, clusters=clusters)["mae"]
            covered[name] += found.low <= 10 <= found.high
    assert covered["days"] >= 174  # of so few days, 185 expected (plain percentiles: 170 of six)
    assert covered["rows"] < 150


def test_a_gain_that_turns_from_day_to_day_is_noise_for_days_alone() -> None:
    generator = np.random.default_rng(1)
    where = np.arange(12).repeat(200)
    gains = generator.normal(0, 0.05, 12)
    label = np.zeros(len(where))
    theirs = 1 + generator.random(len(where))
    ours, other = (
        judge("regression", theirs - (gains - gains.mean() + 0.01)[where], label),
        judge("regression", theirs, label),
    )
    by_rows, by_days = (
        difference("mae", ours, other, rows=len(where), count=200, seed=1, clusters=clusters)
        for clusters in (None, where)
    )
    assert by_rows
    assert by_days
    assert by_rows.value == by_days.value == pytest.approx(-0.01)
    assert by_rows.high < 0 < by_days.high


def test_fewer_than_six_days_are_not_drawn_and_that_is_said() -> None:
    five, six = np.arange(5).repeat(3), np.arange(6).repeat(3)
    assert drawable(None) is drawable(five) is None
    assert drawable(six) is six
    assert drawn(None, None) == "single rows"
    assert drawn(six, "group") == "whole groups, 6 of them"
    assert drawn(five, "day").startswith("single rows, since there are 5 days and no fewer than 6 can be drawn;")
    assert drawn(np.zeros(9, np.int64), "day").startswith("single rows, since there is one day ")


def test_tails_are_those_of_a_percentile_interval_of_many_and_further_out_of_few() -> None:
    assert tails(100_000) == pytest.approx((2.5, 97.5), abs=1e-3)
    assert tails(10) == pytest.approx((0.856, 99.144), abs=1e-3)  # sqrt(10 / 9) * 2.262 standard deviations out
    assert tails(500, np.arange(10).repeat(50)) == tails(10)
    assert tails(1) == (0, 100)
