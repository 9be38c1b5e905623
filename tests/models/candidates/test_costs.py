"""The cheapest threshold is the cheapest, chosen on one set of rows and priced on another."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.contests import Costs
from models.candidates.costs import theoretical, threshold

LABEL = np.array([0.0, 0, 1, 0, 1, 1])
SCORES = np.array([0.1, 0.2, 0.3, 0.4, 0.8, 0.9])
prices = st.floats(0.1, 50)


def _of(positive: float, negative: float) -> Costs:
    return Costs(false_positive=positive, false_negative=negative)


def _paid(costs: Costs, scores: np.ndarray, label: np.ndarray, cut: float) -> float:
    called = scores >= cut
    wrong = (called & (label == 0)) * costs.false_positive + (~called & (label == 1)) * costs.false_negative
    return float(wrong.mean())


def test_by_hand() -> None:
    dear = threshold(_of(1, 5), SCORES, LABEL, SCORES, LABEL, bootstrap=200, seed=0)
    assert 0.2 < dear.best <= 0.3  # one false alarm, 0.4, and nothing missed
    assert dear.cost.value == pytest.approx(1 / 6)
    assert dear.cost_at_half == pytest.approx(5 / 6)  # 0.3 is missed
    assert (dear.false_positives, dear.false_negatives) == (pytest.approx(1 / 6), 0)
    cheap = threshold(_of(5, 1), SCORES, LABEL, SCORES, LABEL, bootstrap=200, seed=0)
    assert 0.4 < cheap.best <= 0.8
    assert cheap.cost.value == pytest.approx(1 / 6)
    assert (cheap.false_positives, cheap.false_negatives) == (0, pytest.approx(1 / 6))


def test_test_rows_pay_what_held_rows_chose() -> None:
    found = threshold(_of(1, 5), SCORES, LABEL, SCORES, 1 - LABEL, bootstrap=50, seed=0)
    assert 0.2 < found.best <= 0.3
    assert found.cost.value == pytest.approx(_paid(_of(1, 5), SCORES, 1 - LABEL, found.best))
    assert found.cost.value > min(found.costs)


@st.composite
def rows(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    count = draw(st.integers(1, 60))
    scores = draw(st.lists(st.floats(0, 1), min_size=count, max_size=count))
    label = draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=count, max_size=count))
    return np.array(scores), np.array(label)


@given(prices, prices, rows())
def test_every_price_is_what_counting_says(positive: float, negative: float, data: tuple) -> None:
    costs, (scores, label) = _of(positive, negative), data
    found = threshold(costs, scores, label, scores, label, bootstrap=20, seed=1)
    for cut, cost in zip(found.thresholds[::7], found.costs[::7], strict=True):
        assert cost == pytest.approx(_paid(costs, scores, label, cut))
    assert found.cost.value == pytest.approx(min(found.costs), abs=1e-9)
    assert found.cost_at_half == pytest.approx(_paid(costs, scores, label, 0.5))
    assert 0 <= found.cost.low <= found.cost.high <= max(positive, negative)
    assert found.thresholds == sorted(found.thresholds)
    assert 0 <= found.low <= found.high <= 1


@settings(max_examples=30)
@given(prices, prices, st.floats(0.1, 100), rows())
def test_the_unit_of_costs_does_not_matter(positive: float, negative: float, unit: float, data: tuple) -> None:
    scores, label = data
    one = threshold(_of(positive, negative), scores, label, scores, label, bootstrap=0, seed=0)
    other = threshold(_of(unit * positive, unit * negative), scores, label, scores, label, bootstrap=0, seed=0)
    assert other.cost.value == pytest.approx(unit * one.cost.value)


def test_calibrated_scores_are_cut_where_theory_says() -> None:
    generator = np.random.default_rng(0)
    scores = generator.beta(1, 3, 200_000)
    label = (generator.random(200_000) < scores) * 1.0
    costs = _of(1, 4)
    assert theoretical(costs) == pytest.approx(0.2)
    found = threshold(
        costs, scores[:100_000], label[:100_000], scores[100_000:], label[100_000:], bootstrap=200, seed=0
    )
    assert found.low - 0.01 <= 0.2 <= found.high + 0.01
    assert found.high - found.low < 0.12
    assert found.cost.low < found.cost.value < found.cost.high < found.cost_at_half


def test_a_constant_score_has_a_threshold_too() -> None:
    found = threshold(_of(1, 9), np.full(50, 0.2), LABEL.repeat(9)[:50], np.full(6, 0.2), LABEL, bootstrap=50, seed=0)
    assert found.best == pytest.approx(0.1)  # all are class 1; of equally cheap ones, theory's
    assert found.cost.value == pytest.approx(0.5)


def _by_days(days: int = 30) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, labels and days, whose share of class 1 varies from day to day."""
    generator = np.random.default_rng(3)
    where = np.arange(days).repeat(40)
    share = generator.beta(2, 4, days)[where]
    return (
        np.clip(share + generator.normal(0, 0.2, len(where)), 0, 1),
        (generator.random(len(where)) < share) * 1.0,
        where,
    )


def _edges(scores: np.ndarray, label: np.ndarray, where: np.ndarray | None) -> list[float]:
    clusters = {"held_clusters": where, "test_clusters": where}
    found = threshold(_of(1, 3), scores, label, scores, label, bootstrap=300, seed=0, **clusters)
    return [found.low, found.high, found.cost.low, found.cost.high]


def test_whole_days_make_wider_intervals_whatever_the_order_of_rows() -> None:
    scores, label, where = _by_days()
    low, high, least, most = _edges(scores, label, where)
    rows = _edges(scores, label, None)
    assert most - least > 1.3 * (rows[3] - rows[2])
    order = np.random.default_rng(0).permutation(len(where))
    assert _edges(scores[order], label[order], where[order]) == pytest.approx([low, high, least, most])


def test_days_of_one_row_each_cost_what_rows_cost() -> None:
    scores, label, where = _by_days()
    ones, rows = _edges(scores, label, np.arange(len(where))), _edges(scores, label, None)
    assert ones[2:] == pytest.approx(rows[2:], rel=0.03)  # drawn by another generator


def test_rows_that_are_there_four_times_narrow_the_cost_of_rows_and_not_of_days() -> None:
    scores, label, where = _by_days()
    scores = scores.round(1)  # so that quantiles stay where they are
    once, four = _edges(scores, label, where), _edges(scores.repeat(4), label.repeat(4), where.repeat(4))
    assert once == pytest.approx(four)
    rows, more = _edges(scores, label, None), _edges(scores.repeat(4), label.repeat(4), None)
    assert more[3] - more[2] < 0.7 * (rows[3] - rows[2])
