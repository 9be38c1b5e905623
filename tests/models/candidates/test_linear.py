"""Linear models find what is linear, and say how."""

import numpy as np
import pytest
from scipy import linalg
from sklearn import linear_model

from models.candidates import named
from models.candidates.forms import levels_of, one_hot
from models.candidates.problem import Problem
from models.candidates.rows import Rows
from tests.models.candidates.made import bundled, rows_of, signal


def fit(name: str, rows: Rows, **values: float):  # noqa: ANN201 -- Lines
    return named(name).fit(rows, seed=0, values=values, threads=1)


def test_coefficients_are_those_of_the_truth() -> None:
    generator = np.random.default_rng(0)
    numbers, codes = generator.normal(size=(4000, 2)), generator.integers(0, 3, (4000, 1))
    label = 5 + 3 * numbers[:, 0] - 2 * numbers[:, 1] + np.array([0, 4, 8])[codes[:, 0]]
    fitted = fit("linear_regression", rows_of(numbers, label, "regression", codes=codes))
    weights = dict(fitted.coefficients())
    assert list(weights) == ["x0", "x1", "c0=rest", "c0=0", "c0=1", "c0=2"]
    assert weights["x0"] == pytest.approx(3 * numbers[:, 0].std(), rel=1e-6)
    assert weights["x1"] == pytest.approx(-2 * numbers[:, 1].std(), rel=1e-6)
    assert weights["c0=2"] - weights["c0=1"] == pytest.approx(4, rel=1e-6)
    assert weights["c0=1"] - weights["c0=0"] == pytest.approx(4, rel=1e-6)


def test_of_several_classes_the_largest_weight_is_told() -> None:
    fitted = fit("logistic_regression", signal("multiclass"))
    weights = np.array([value for _, value in fitted.coefficients()])
    np.testing.assert_array_equal(np.abs(weights), np.abs(fitted.weights).max(axis=1))


@pytest.mark.parametrize("name", ["ridge", "lasso", "linear_regression"])
def test_least_squares_are_those_of_scikit_learn(name: str) -> None:
    rows, strength = bundled("diabetes"), 2.0
    n, scale = len(rows), rows.label.std()
    peer = {
        "ridge": linear_model.Ridge(alpha=strength),
        "lasso": linear_model.Lasso(alpha=strength / np.sqrt(n), tol=1e-8),
        "linear_regression": linear_model.LinearRegression(),
    }[name]
    peer.fit(rows.numbers.astype(float), (rows.label - rows.label.mean()) / scale)
    fitted = fit(name, rows, **({} if name == "linear_regression" else {"strength": strength}))
    np.testing.assert_allclose(fitted.weights[:, 0], peer.coef_ * scale, rtol=1e-3, atol=1e-2 * scale)


def test_short_problems_have_the_sums_of_squares_of_long_ones() -> None:
    rows = signal("regression")
    label = rows.label - rows.label.mean()
    long = Problem(one_hot(rows, levels_of(rows, least=5, most=100)), label, 0, len(rows))
    short = long.shortened()
    assert len(short.label) <= min(long.design.shape)
    dense = long.design.toarray()
    generator = np.random.default_rng(0)
    gaps = []
    for _ in range(5):
        weights = generator.normal(size=dense.shape[1])
        whole = np.sum((label - (dense - short.mean) @ weights) ** 2)
        gaps.append(whole - np.sum((short.label - short.design @ weights) ** 2))
    np.testing.assert_allclose(gaps, gaps[0], rtol=1e-8)
    assert linalg.norm(short.label) > 0


def test_duplicated_columns_share_their_weight() -> None:
    generator = np.random.default_rng(0)
    one = generator.normal(size=500)
    fitted = fit("linear_regression", rows_of(np.stack([one, one], axis=1), 2 * one, "regression"))
    assert fitted.weights[:, 0] == pytest.approx([one.std(), one.std()])


def test_lasso_leaves_noise_out_and_ridge_does_not() -> None:
    generator = np.random.default_rng(0)
    numbers = generator.normal(size=(500, 20))
    for task, label in (("regression", 3 * numbers[:, 0]), ("binary", numbers[:, 0] > 0)):
        rows = rows_of(numbers, label + (generator.normal(size=500) if task == "regression" else 0), task)
        zeros = {name: (fit(name, rows, strength=3.0).weights[1:] == 0).sum() for name in ("ridge", "lasso")}
        assert zeros["ridge"] == 0
        assert zeros["lasso"] > 15


def test_strength_is_sought_where_it_is_not_said() -> None:
    generator = np.random.default_rng(0)
    noise = rows_of(generator.normal(size=(60, 50)), generator.normal(size=60), "regression")
    fitted = fit("lasso", noise)
    assert np.count_nonzero(fitted.weights) < 10


def test_rare_codes_share_a_level() -> None:
    codes = np.r_[np.zeros(50), np.ones(50), 2, 3, 4].astype(int)[:, None]
    rows = rows_of(np.zeros((103, 0)), np.arange(103) % 2, "binary", codes=codes)
    names = [name for name, _ in fit("logistic_regression", rows, level_rows=10).coefficients()]
    assert names == ["c0=rest", "c0=0", "c0=1"]
    assert len(fit("logistic_regression", rows, level_rows=1).coefficients()) == 6


def test_a_prediction_is_that_of_the_one_hot_matrix() -> None:
    rows = signal("regression")
    fitted = fit("ridge", rows)
    design = one_hot(rows, fitted.levels)
    np.testing.assert_allclose(fitted.predict(rows), (design @ fitted.weights + fitted.intercept)[:, 0])
