"""An explanation finds the column that was planted, in a person's words and units."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from conf.columns import Categorical, Cyclic, Numeric, Quantile
from conf.manifest import Label, Manifest
from models.candidates.explain import explain
from models.candidates.rows import Columns, Rows
from models.evaluation.metrics import Floats


class Known:
    """A candidate that has learned the truth."""

    def __init__(self, truth: Callable[[Rows], Floats]) -> None:
        """Know it."""
        self._truth = truth

    def predict(self, rows: Rows) -> Floats:
        """Say it."""
        return self._truth(rows)

    def save(self, folder: Path) -> None:
        """Nothing but the truth was learned."""


class Weighed(Known):
    """The same with coefficients."""

    def coefficients(self) -> list[tuple[str, float]]:
        """Give them in any order."""
        return [("small", 0.5), ("large", -3.0), ("c=4", 1.0), ("c=rest", 0.1)]


COLUMNS = Columns(
    task="regression", numbers=("a", "b", "b__missing"), codes=("c",), cardinalities=(6,), classes=(), where=None
)


def _rows(truth: Callable[[Rows], Floats], columns: Columns = COLUMNS, count: int = 1_500) -> Rows:
    generator = np.random.default_rng(0)
    numbers = generator.normal(size=(count, len(columns.numbers))).astype(np.float32)
    codes = generator.integers(2, 6, (count, len(columns.codes))).astype(np.int32)
    rows = Rows(columns, numbers, codes, np.zeros(count))
    label = truth(rows)
    return Rows(columns, numbers, codes, label.argmax(axis=1) * 1.0 if label.ndim > 1 else label)


def _truth(rows: Rows) -> Floats:
    return 3.0 * rows.numbers[:, 1] + 1.0 * (rows.codes[:, 0] == 5)


def _manifest(columns: list) -> Manifest:
    label = Label(name="y", classes=[], prior=[], mean=0, scale=1)
    return Manifest.model_validate(
        {
            "name": "known",
            "task": "regression",
            "label": label,
            "columns": columns,
            "splits": {},
            "holdout": [],
            "rows_in": 0,
            "quarantined": {},
            "set_aside": {},
            "inferred": {},
            "example": [],
            "inputs": [],
            "fingerprint": "f",
            "created": "2026-11-28T00:00:00+00:00",
        }
    )


def test_the_planted_column_is_the_most_important_one() -> None:
    found = explain(Known(_truth), "ridge", _rows(_truth), seed=1)
    names = [weight.name for weight in found.importance]
    assert names[:2] == ["b", "c"]
    weights = {weight.name: weight for weight in found.importance}
    assert weights["a"].value == pytest.approx(0, abs=1e-9)
    assert weights["b"].value > 5 * weights["c"].value > 0
    # A shuffled standard normal column with weight 3 adds an error of variance 2 * 9.
    assert weights["b"].value == pytest.approx(np.sqrt(18), rel=0.1)
    assert 0 < weights["b"].error < 0.2
    assert found.coefficients == []


def test_dependence_is_the_shape_that_was_planted() -> None:
    found = {one.name: one for one in explain(Known(_truth), "ridge", _rows(_truth), seed=1).dependence}
    line = found["b"]
    slopes = np.diff(line.scores) / np.diff(np.array(line.grid, dtype=float))
    assert slopes == pytest.approx(3, abs=1e-3)
    levels = dict(zip(found["c"].grid, found["c"].scores, strict=True))
    assert levels.keys() == {"code 2", "code 3", "code 4", "code 5"}
    assert levels["code 5"] - levels["code 3"] == pytest.approx(1)


def test_the_manifest_gives_units_names_and_what_belongs_together() -> None:
    manifest = _manifest(
        [
            Numeric(name="b", indicator=True, mean=100, scale=20),
            Quantile(name="a", indicator=False, points=[0.0, 10.0, 1_000.0], shares=[0.0, 0.5, 1.0]),
            Categorical(name="c", vocabulary=["AA", "UA", "DL"], rare=["ZZ"]),
        ]
    )
    found = explain(Known(_truth), "ridge", _rows(_truth), seed=1, manifest=manifest)
    assert {weight.name for weight in found.importance} == {"a", "b", "c"}
    drawn = {one.name: one for one in found.dependence}
    assert 40 < min(drawn["b"].grid) < 80
    assert 120 < max(drawn["b"].grid) < 160
    assert 0 <= min(drawn["a"].grid) < max(drawn["a"].grid) <= 1_000
    assert set(drawn["c"].grid) == {"(rare)", "AA", "UA", "DL"}
    named = explain(Known(_truth), "ridge", _rows(_truth), seed=1, levels={"c": ["?", "-", "few", "x", "y", "z"]})
    assert {"few", "z"} < set(next(one.grid for one in named.dependence if one.name == "c"))


def test_a_time_of_day_is_shown_in_hours() -> None:
    columns = Columns("regression", ("t__day_sin", "t__day_cos"), (), (), ())

    def truth(rows: Rows) -> Floats:
        return rows.numbers[:, 0].astype(float)

    manifest = _manifest([Cyclic(name="t", indicator=False, of="time", periods={"day": 86_400.0})])
    found = explain(Known(truth), "ridge", _rows(truth, columns), seed=0, manifest=manifest)
    assert [weight.name for weight in found.importance] == ["t (hour of the day)"]
    grid, scores = found.dependence[0].grid, found.dependence[0].scores
    assert grid[int(np.argmax(scores))] == 6  # a quarter of the circle
    assert (min(grid), max(grid)) == (0, 23)


def test_of_several_classes_that_which_moves_most_is_shown() -> None:
    columns = Columns("multiclass", ("a", "b"), (), (), ("red", "green", "blue"))

    def truth(rows: Rows) -> Floats:
        odds = np.exp(np.stack([0 * rows.numbers[:, 0], 0 * rows.numbers[:, 0], 4.0 * rows.numbers[:, 0]], axis=1))
        return odds / odds.sum(axis=1, keepdims=True)

    found = explain(Known(truth), "ridge", _rows(truth, columns), seed=0)
    assert found.importance[0].name == "a"
    assert found.dependence[0].name == "a (for blue)"
    assert found.dependence[0].scores == sorted(found.dependence[0].scores)


def test_coefficients_are_those_of_linear_models_the_largest_first() -> None:
    found = explain(Weighed(_truth), "ridge", _rows(_truth), seed=0)
    assert [(weight.name, weight.value) for weight in found.coefficients] == [
        ("large", -3.0),
        ("c=4", 1.0),
        ("small", 0.5),
        ("c=rest", 0.1),
    ]
    named = explain(Weighed(_truth), "ridge", _rows(_truth), seed=0, levels={"c": ["?", "-", "few", "x", "UA"]})
    assert [weight.name for weight in named.coefficients] == ["large", "c=UA", "small", "c=rest"]


def test_a_slow_candidate_is_looked_at_on_fewer_of_the_rows() -> None:
    def slow(rows: Rows) -> Floats:
        time.sleep(1e-4 * len(rows))
        return _truth(rows)

    quick, found = (explain(Known(truth), "ridge", _rows(_truth), seed=1, seconds=0.3) for truth in (_truth, slow))
    assert quick.rows == 1_500 > found.rows >= 200
    assert [weight.name for weight in found.importance][:2] == [weight.name for weight in quick.importance][:2]


def test_rows_of_one_class_have_no_importance() -> None:
    columns = Columns("binary", ("a",), (), (), ("no", "yes"))
    rows = Rows(columns, np.ones((30, 1), np.float32), np.zeros((30, 0), np.int32), np.zeros(30))
    found = explain(Known(lambda given: given.numbers[:, 0] * 0.5), "ridge", rows, seed=0)
    assert (found.importance, found.dependence) == ([], [])


def test_the_same_seed_explains_alike() -> None:
    rows = _rows(_truth)
    assert explain(Known(_truth), "ridge", rows, seed=3) == explain(Known(_truth), "ridge", rows, seed=3)
