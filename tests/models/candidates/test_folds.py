"""Folds and samples: pure functions of rows, count and seed."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.compose import compose
from models.candidates.folds import FEWEST_ROWS, Fold, draw_folds, halves, samples
from models.candidates.rows import Rows
from tests.models.candidates.contests import made_rows


@st.composite
def pools(draw: st.DrawFn) -> Rows:
    """Rows of any task, of days, groups or neither."""
    count, kind = draw(st.integers(2, 200)), draw(st.sampled_from(["day", "group", None]))
    generator = np.random.default_rng(draw(st.integers(0, 1000)))
    where = generator.integers(0, draw(st.integers(1, 30)), count) if kind else None
    task = draw(st.sampled_from(["binary", "multiclass", "regression"]))
    label = generator.integers(0, 2 if task == "binary" else draw(st.integers(2, 300)), count)
    return made_rows(task, label, np.zeros((count, 1)), where=where, kind=str(kind))


@given(pools(), st.integers(2, 6), st.integers(0, 100))
@settings(max_examples=80)
def test_no_row_is_on_two_sides_and_the_same_seed_draws_the_same(rows: Rows, count: int, seed: int) -> None:
    drawn = draw_folds(rows, count, seed)
    assert 1 <= len(drawn.folds) <= count
    assert drawn.notes or len(drawn.folds) == count
    for fold, again in zip(drawn.folds, draw_folds(rows, count, seed).folds, strict=True):
        assert np.array_equal(fold.learn, again.learn)
        assert np.array_equal(fold.held, again.held)
        assert fold.learn.dtype == fold.held.dtype == np.int64
        assert len(fold.learn)
        assert len(fold.held)
        assert not np.intersect1d(fold.learn, fold.held).size
        assert (np.diff(fold.learn) > 0).all()
        assert (np.diff(fold.held) > 0).all()
        if rows.where is not None and len(np.unique(rows.where)) > 1:
            assert not np.intersect1d(rows.where[fold.learn], rows.where[fold.held]).size
            if rows.columns.where == "day":
                assert rows.where[fold.learn].max() < rows.where[fold.held].min()
    if rows.columns.where != "day" or len(np.unique(rows.where)) == 1:
        assert np.array_equal(np.sort(np.concatenate([fold.held for fold in drawn.folds])), np.arange(len(rows)))


@given(pools(), st.integers(0, 100))
@settings(max_examples=60)
def test_samples_are_nested_parts_of_what_is_learned_from(rows: Rows, seed: int) -> None:
    fold = draw_folds(rows, 3, seed).folds[-1]
    drawn = samples(rows, fold, [0.1, 0.3, 0.6], seed)
    for smaller, larger in pairwise([*drawn, fold.learn]):
        assert FEWEST_ROWS <= len(smaller) < len(larger)
        assert np.isin(smaller, larger).all()
        assert (np.diff(smaller) > 0).all()


@given(pools(), st.integers(0, 100))
@settings(max_examples=40)
def test_halves_part_all_rows_by_whole_days_or_groups(rows: Rows, seed: int) -> None:
    held = draw_folds(rows, 2, seed).folds[-1].held
    one, other = halves(rows, held, seed)
    assert np.array_equal(np.sort(np.concatenate([one, other])), np.arange(len(held)))
    if rows.where is not None and len(np.unique(rows.where[held])) > 1:
        assert not np.intersect1d(rows.where[held][one], rows.where[held][other]).size


def test_windows_have_equally_many_rows() -> None:
    rows = made_rows("regression", np.zeros(6000), np.zeros((6000, 1)), where=np.repeat(np.arange(600), 10))
    assert [len(fold.held) for fold in draw_folds(rows, 5, 0).folds] == [1000] * 5
    assert [len(fold.learn) for fold in draw_folds(rows, 5, 0).folds] == [1000, 2000, 3000, 4000, 5000]


@pytest.mark.parametrize("count", [113, 341, 569, 100_000])
def test_a_curve_has_points_enough_for_a_law_on_small_sets_too(count: int) -> None:
    shares = compose("flights_delay").contest.sizes
    rows = made_rows("binary", np.arange(count) % 2, np.zeros((count, 1)))
    fold = Fold(np.arange(count), np.arange(0))
    sizes = [len(learn) for learn in samples(rows, fold, shares, 0)]
    assert len(sizes) == 5
    assert min(sizes) >= FEWEST_ROWS
    assert max(sizes) == round(0.6 * count)


def test_classes_have_equal_shares_in_folds_and_samples() -> None:
    label = np.r_[np.zeros(900), np.ones(100)]
    rows = made_rows("binary", label, np.zeros((1000, 1)))
    folds = draw_folds(rows, 5, 0).folds
    assert [label[fold.held].sum() for fold in folds] == [20] * 5
    assert [label[rows].sum() for rows in samples(rows, folds[-1], [0.1, 0.5], 0)] == [8, 40]


@pytest.mark.parametrize("where", [np.zeros, lambda _: None])
def test_more_classes_than_rows(where: Callable[[int], object]) -> None:
    rows = made_rows("multiclass", np.arange(4) * 10, np.zeros((4, 1)), where=where(4))
    assert len(draw_folds(rows, 5, 0).folds) == 4
    assert not draw_folds(rows.take(np.array([0])), 5, 0).folds


def test_too_few_days_make_fewer_folds_and_say_so() -> None:
    rows = made_rows("regression", np.zeros(9), np.zeros((9, 1)), where=np.repeat([3, 7, 9], 3))
    drawn = draw_folds(rows, 5, 0)
    assert len(drawn.folds) == 2
    assert drawn.notes == ("3 days make 2 folds, not 5",)
