"""A power law is found where there is one, and places change only beyond noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.selecting import Curve, Standing
from models.candidates.curves import curve, moves, uncompared
from tests.models.candidates.findings import binary

ROWS = [1_000, 3_000, 9_000, 27_000, 81_000]


@settings(max_examples=40)
@given(st.floats(0.1, 0.6), st.floats(0.5, 5), st.floats(0.1, 1.2))
def test_a_planted_law_of_a_loss_is_recovered(limit: float, factor: float, exponent: float) -> None:
    law = curve(ROWS, [limit + factor * rows**-exponent for rows in ROWS], higher_is_better=False).law
    assert law is not None
    assert law.exponent == pytest.approx(exponent, rel=0.02)
    assert law.limit == pytest.approx(limit, rel=0.02)
    assert law.doubled == pytest.approx(limit + factor * (2 * ROWS[-1]) ** -exponent, rel=1e-3)
    assert law.tenfold == pytest.approx(limit + factor * (10 * ROWS[-1]) ** -exponent, rel=5e-3)
    assert law.r2 == pytest.approx(1, abs=1e-6)


@settings(max_examples=30)
@given(st.floats(0.6, 0.95), st.floats(0.5, 3), st.floats(0.1, 1.2))
def test_a_planted_law_of_a_score_is_recovered(limit: float, factor: float, exponent: float) -> None:
    law = curve(ROWS, [limit - factor * rows**-exponent for rows in ROWS], higher_is_better=True).law
    assert law is not None
    assert law.factor == pytest.approx(-factor, rel=0.1)
    assert law.limit == pytest.approx(limit, rel=0.02)


@settings(max_examples=30)
@given(values=st.lists(st.floats(0.01, 1e4), min_size=4, max_size=4), higher=st.booleans())
def test_what_a_law_expects_is_no_worse_than_its_last_point(values: list[float], *, higher: bool) -> None:
    rows = ROWS[:4]
    law = curve(rows, values, higher_is_better=higher).law
    if law is not None:
        sign = 1 if higher else -1
        here = law.limit + law.factor * rows[-1] ** -law.exponent
        assert sign * law.tenfold >= sign * law.doubled - 1e-6 * abs(here)
        assert sign * law.doubled >= sign * here - 1e-6 * abs(here)
        assert higher or law.tenfold >= -1e-9


def test_the_order_of_the_points_does_not_matter() -> None:
    values = [2 + 9 * rows**-0.4 for rows in ROWS]
    assert curve(ROWS[::-1], values[::-1], higher_is_better=False) == curve(ROWS, values, higher_is_better=False)


@pytest.mark.parametrize(
    "values", [[0.7, 0.71, 0.72], [0.5] * 5, [0.72, 0.71, 0.7, 0.69, 0.68]], ids=["three points", "flat", "falling"]
)
def test_no_law_is_made_up(values: list[float]) -> None:
    assert curve(ROWS[: len(values)], values, higher_is_better=True).law is None


def _pair(early: tuple[float, float], late: tuple[float, float], noise: float) -> list[Standing]:
    generator = np.random.default_rng(0)
    known = {standing.candidate: standing for standing in binary().standings}
    return [
        known[name].model_copy(
            update={
                "curve": Curve(rows=[1_000, 81_000], values=list(values), law=None),
                "folds": (values[1] + generator.normal(0, noise, 5)).tolist(),
            }
        )
        for name, values in (("ridge", early), ("mlp", late))
    ]


def test_who_is_overtaken_is_said() -> None:
    said = moves(_pair((0.66, 0.68), (0.62, 0.71), 0.001), higher_is_better=True)
    assert said == [
        "On 1,000 rows ridge is ahead of mlp; on 81,000 rows it is behind, by more than the folds vary.",
    ]
    lower = moves(_pair((0.66, 0.68), (0.62, 0.71), 0.001), higher_is_better=False, names={"ridge": "A", "mlp": "B"})
    assert lower == ["On 1,000 rows B is ahead of A; on 81,000 rows it is behind, by more than the folds vary."]


def test_a_pair_is_compared_on_the_largest_size_that_both_have() -> None:
    ridge, mlp = _pair((0.66, 0.68), (0.62, 0.71), 0.001)
    tuned = Curve(rows=[1_000, 27_000], values=[0.62, 0.70], law=None)  # its folds had other settings
    both = Curve(rows=[1_000, 27_000, 81_000], values=[0.66, 0.67, 0.68], law=None)
    held = [ridge.model_copy(update={"curve": both}), mlp.model_copy(update={"curve": tuned})]
    assert moves(held, higher_is_better=True) == [
        "On 1,000 rows ridge is ahead of mlp; on 27,000 rows it is behind, by more than the folds vary.",
    ]
    assert uncompared(held) == []
    alone = mlp.model_copy(update={"curve": Curve(rows=[500, 27_000], values=[0.62, 0.70], law=None)})
    assert moves([held[0], alone], higher_is_better=True) == []
    assert uncompared([held[0], alone]) == ["ridge", "mlp"]


def test_noise_and_steady_places_are_not_called_out() -> None:
    assert moves(_pair((0.66, 0.68), (0.62, 0.71), 0.05), higher_is_better=True) == []
    assert moves(_pair((0.66, 0.68), (0.62, 0.67), 0.001), higher_is_better=True) == []
    assert moves([], higher_is_better=True) == []
