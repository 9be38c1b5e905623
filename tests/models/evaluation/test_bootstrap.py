"""Intervals hold the truth as often as they say, repeat by seed, and pairing sees what separate intervals do not."""

import numpy as np

from models.evaluation.bootstrap import difference, estimates, resamples
from models.evaluation.metrics import Floats, judge


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
