"""Fair shares and predicted seconds."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.candidates.budget import allot, largest_share, makespan, patience, seconds_at

NEEDS = st.dictionaries(st.text(min_size=1, max_size=3), st.floats(1e-6, 1e4), min_size=1, max_size=12)


@given(NEEDS, st.floats(1e-3, 1e5))
def test_nobody_has_more_than_needed_and_nothing_is_left_that_somebody_needs(
    needs: dict[str, float], purse: float
) -> None:
    found = allot(needs, purse)
    assert found.keys() == needs.keys()
    assert all(0 <= found[name] <= needs[name] for name in needs)
    assert sum(found.values()) == pytest.approx(min(purse, sum(needs.values())))


@given(NEEDS, st.floats(1e-3, 1e5))
def test_the_cheap_have_all_that_they_need_before_anybody_has_more(needs: dict[str, float], purse: float) -> None:
    found = allot(needs, purse)
    unmet = [name for name in needs if found[name] < needs[name] * (1 - 1e-9)]
    assert all(found[other] <= found[name] * (1 + 1e-9) for name in unmet for other in needs)


def test_weights_are_proportions_of_what_is_left_for_those_who_need_more() -> None:
    needs, weights = {"cheap": 1.0, "better": 100.0, "worse": 100.0}, {"cheap": 1 / 3, "better": 1.0, "worse": 1 / 3}
    assert allot(needs, 41, weights) == pytest.approx({"cheap": 1, "better": 30, "worse": 10})


@given(st.lists(st.floats(0.001, 100), min_size=1, max_size=12), st.integers(1, 5))
def test_the_clock_of_fits_side_by_side_is_what_the_longest_and_all_together_need_and_an_end_of_one(
    seconds: list[float], at_once: int
) -> None:
    least = max(*seconds, sum(seconds) / at_once)
    assert least * (1 - 1e-9) <= makespan(seconds, at_once) <= sum(seconds) / at_once + max(seconds)


def test_a_fit_begins_when_one_before_it_has_ended() -> None:
    assert makespan([2, 3, 4], 2) == 6
    assert makespan([4, 3, 2], 2) == 5
    assert makespan([2, 3, 4], 1) == 9


@given(st.floats(0.01, 100), st.floats(0, 2))
def test_seconds_of_a_power_law_are_foretold(factor: float, exponent: float) -> None:
    seen = [(rows, factor * rows**exponent) for rows in (100, 300, 1000)]
    assert seconds_at(500, seen) == pytest.approx(factor * 500**exponent, rel=1e-6)
    assert seconds_at(10_000, seen) == pytest.approx(seen[-1][1] * 10 ** max(1.0, exponent), rel=1e-6)
    assert seconds_at(2000, seen[:1]) == pytest.approx(20 * seen[0][1])
    assert seconds_at(25, seen[:1]) == pytest.approx(seen[0][1] / 2)


def test_noise_between_sizes_that_are_nearly_the_same_makes_no_law() -> None:
    folds = [(2666, 1.0), (2667, 1.3)]
    assert seconds_at(26_670, folds) == pytest.approx(13)
    assert seconds_at(26_670, [(100, 0.01), *folds]) == pytest.approx(1.3 * 10 ** math.log(130, 26.67))


@given(st.floats(0, 1.5))
def test_the_largest_share_that_pays_is_found(most: float) -> None:
    assert largest_share(lambda share: share <= most) == pytest.approx(min(1.0, most))


def test_of_what_never_pays_the_share_is_nothing() -> None:
    assert largest_share(lambda _: False) == 0


def test_patience_is_a_multiple_of_what_was_foretold_within_limits() -> None:
    assert patience(0.1, fit_seconds=240) == 10
    assert patience(20, fit_seconds=240) == 60
    assert patience(200, fit_seconds=240) == 240
    assert patience(0.1, fit_seconds=4) == 4


def test_what_any_fit_takes_does_not_grow_with_rows() -> None:
    assert seconds_at(10_000, [(100, 0.5)], start=0.5) < 0.7
    assert seconds_at(10_000, [(100, 0.5), (1000, 1.4)], start=0.4) == pytest.approx(0.4 + 10)


def test_what_is_little_more_than_a_start_makes_no_steep_law() -> None:
    seen = [(128, 0.094), (384, 0.164)]
    assert 0.16 < seconds_at(1280, seen, start=0.087) < 0.5


def test_one_fit_that_was_slow_by_chance_makes_no_steep_law() -> None:
    seen = [(2_730, 1.0), (8_400, 2.2), (25_000, 3.6), (40_000, 4.3), (75_000, 7.1), (80_000, 12.7)]
    assert seconds_at(270_000, seen) < 12.7 * 270 / 80 * 1.1
