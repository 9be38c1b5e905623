"""Trees and boosting: what they share with their libraries, and what they hold out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestRegressor

from models.candidates import named
from models.candidates.forms import levels_of, ordinal
from models.candidates.holding import hold_out
from models.candidates.learning import parts
from models.candidates.rows import Rows
from tests.models.candidates.made import rows_of, signal

BOOSTING = ("gradient_boosting", "xgboost", "lightgbm")


def test_a_forest_scores_as_scikit_learn_does() -> None:
    rows = signal("regression")
    fitted = named("random_forest").fit(rows, seed=0, values={"trees": 7, "leaf_rows": 2}, threads=1)
    peer = RandomForestRegressor(7, min_samples_leaf=2, max_features=0.3, max_samples=len(rows), random_state=0).fit(
        ordinal(rows), rows.label
    )
    np.testing.assert_allclose(fitted.predict(rows), peer.predict(ordinal(rows)))


@pytest.mark.parametrize("name", ["decision_tree", "random_forest"])
def test_no_class_is_impossible_in_a_leaf(name: str) -> None:
    rows = signal("multiclass")
    scores = named(name).fit(rows, seed=0, values={"leaf_rows": 1}, threads=1).predict(rows)
    assert scores.min() > 0
    np.testing.assert_allclose(scores.sum(axis=1), 1)


@pytest.mark.parametrize("name", BOOSTING)
def test_boosting_stops_where_nothing_is_to_be_learned(name: str) -> None:
    generator = np.random.default_rng(0)
    rows = rows_of(generator.normal(size=(1000, 5)), generator.normal(size=1000), "regression")
    scores = named(name).fit(rows, seed=0, values={}, threads=1).predict(rows)
    assert scores.std() < 0.5


@pytest.mark.parametrize("name", BOOSTING)
def test_own_settings_look_at_eight_columns_at_least_and_are_those_of_the_task(name: str) -> None:
    boosting = named(name)
    few, many = (rows_of(np.zeros((2, count)), [0, 1], "binary").columns for count in (5, 1000))
    assert boosting.settings(few)["columns"] == 1
    assert boosting.settings(many)["columns"] == boosting.own["columns"] < 1
    ten = rows_of(np.zeros((2, 10)), [0.5, 1.5], "regression").columns
    assert boosting.settings(ten) == {**boosting.own, **boosting.of_values, "columns": 0.8}


@pytest.mark.parametrize("name", BOOSTING)
def test_categories_are_no_order(name: str) -> None:
    """Codes that alternate are split at once, though each neighbour is different."""
    generator = np.random.default_rng(0)
    codes = generator.integers(0, 40, (3000, 1))
    rows = rows_of(np.zeros((3000, 0)), codes[:, 0] % 2, "binary", codes=codes)
    values = {"leaves": 2, "learning_rate": 0.3}
    scores = named(name).fit(rows, seed=0, values=values, threads=1).predict(rows)
    assert (scores > 0.5).astype(int).tolist() == codes[:, 0].__mod__(2).tolist()


@settings(max_examples=50)
@given(
    rows=st.integers(2, 60),
    share=st.floats(0.05, 0.6),
    seed=st.integers(0, 1000),
    kind=st.sampled_from([None, "day", "group"]),
)
def test_rows_are_held_out_by_day_group_or_chance(rows: int, share: float, seed: int, kind: str | None) -> None:
    generator = np.random.default_rng(seed)
    where = generator.integers(0, 6, rows)
    made = rows_of(np.zeros((rows, 1)), np.arange(rows), "regression", where=None if kind is None else where, kind=kind)
    learn, held = hold_out(made, share, seed)
    assert sorted([*learn, *held]) == list(range(rows))
    assert len(learn)
    assert len(held)
    if kind is not None and len(np.unique(where)) > 1:
        assert not set(where[learn]) & set(where[held])
    if kind == "day" and len(np.unique(where)) > 1:
        assert where[learn].max() < where[held].min()


@settings(max_examples=50)
@given(rows=st.integers(2, 40), classes=st.integers(2, 10), seed=st.integers(0, 1000))
def test_every_class_is_learned_from(rows: int, classes: int, seed: int) -> None:
    label = np.random.default_rng(seed).integers(0, classes, rows)
    made = rows_of(np.zeros((rows, 1)), label, "multiclass")
    learn, held = parts(made, 0.3, seed)
    assert sorted([*learn, *held]) == list(range(rows))
    assert set(label[learn]) == set(label)


@settings(max_examples=30)
@given(seed=st.integers(0, 1000), least=st.integers(1, 20), most=st.integers(1, 30))
def test_levels_are_those_of_frequent_codes(seed: int, least: int, most: int) -> None:
    codes = np.random.default_rng(seed).zipf(1.5, (200, 1)) % 50
    rows = rows_of(np.zeros((200, 0)), np.zeros(200), "regression", codes=codes)
    levels = levels_of(rows, least=least, most=most)
    counts = np.bincount(codes[:, 0])
    (table,) = levels.tables
    own = np.flatnonzero(table)
    assert len(own) <= most
    assert (counts[own] >= least).all()
    assert sorted(table[own]) == list(range(1, len(own) + 1))
    assert len(own) == most or (counts[table == 0] < least).all()
    assert levels.of(rows).max() < levels.counts[0]


def test_few_rows_are_fitted_as_they_are() -> None:
    rows = rows_of(np.zeros((1, 1)), [4.0], "regression")
    assert isinstance(rows, Rows)
    learn, held = parts(rows, 0.1, 0)
    assert (learn.tolist(), held.tolist()) == ([0], [])
