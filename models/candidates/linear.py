"""Linear models of scikit-learn, on numbers and one-hot levels.

Labels of a regression are standardised while they are fitted. `strength` of a penalty says the same for any number of
rows n: of ridge it is `l` in `sum of losses + l / 2 |w|^2`, the precision of a normal prior; of lasso it is `l` in
`mean of losses + l / sqrt(n) |w|_1`, as noise shrinks with n (Bickel, Ritov and Tsybakov 2009, section 4). Where it is
not said, it is that of `path` with the least loss on rows that the fit holds out.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from sklearn import linear_model
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from conf.errors import FranklinError
from conf.schema import Choices, Range
from models.candidates.candidate import Candidate, Space, Value
from models.candidates.forms import Levels, levels_of, one_hot
from models.candidates.learning import PAIR, Classes, parts, settled, some, threads_for
from models.candidates.lines import Lines
from models.candidates.problem import Problem
from models.candidates.rows import Columns, Rows
from models.evaluation.metrics import SMALLEST, Floats, Ints

HELD, SEARCH_ROWS = 0.2, 20_000  # what the strength is sought with
SEARCHED = 0.0  # a strength that is to be sought
MOST_LEVELS = 20_000
ITERATIONS, TOLERANCE, SWEEPS = 100, 1e-4, 1000
EPOCHS, VISITS = (15, 300), 600_000  # of SAGA; a visit is that of a row
# Of liblinear, for two classes alone: on flights it came nearer to the least loss than SAGA in a tenth of the seconds.
COARSE, LIGHT = 0.01, 10.0  # tolerance, and by how much the penalty of its intercept is divided


class Linear(Candidate):
    """One-hot levels, standardised labels and the search for a strength, around an estimator."""

    family = "linear"
    path: ClassVar[tuple[float, ...]] = ()  # strengths, rising; (): there is no penalty to choose

    def space(self, columns: Columns) -> Space:
        """Give the strength of the penalty, and rows below which codes share a level."""
        levels: Space = {"level_rows": Choices(choices=[1, 10, 30, 100])} if columns.codes else {}
        strength: Space = {"strength": Range(low=self.path[0], high=self.path[-1], log=True)} if self.path else {}
        return {**strength, **levels}

    def fit(self, rows: Rows, *, seed: int, values: Mapping[str, Value], threads: int) -> Lines:
        """Learn.

        Raises:
            FranklinError: all rows are of one class.

        """
        own = {"level_rows": 10.0, **({"strength": SEARCHED} if self.path else {})}
        settings = settled(self.title, own, values)
        levels = levels_of(rows, least=round(settings["level_rows"]), most=MOST_LEVELS)
        classes = None if rows.columns.task == "regression" else Classes.of(rows, self.title)
        mean, scale = (rows.label.mean(), rows.label.std() or 1.0) if classes is None else (0.0, 1.0)
        label = (rows.label - mean) / scale if classes is None else classes.places(rows)
        problem = Problem(one_hot(rows, levels), label, seed, len(rows))
        with threadpool_limits(threads_for(rows, threads)), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a bound on iterations is a bound on time
            strength = settings.get("strength", SEARCHED) or self._search(rows, problem, seed)
            weights, intercept = self._solve(strength, problem, classes)
        if not (np.isfinite(weights).all() and np.isfinite(intercept).all()):
            raise FranklinError(f"{self.title} did not converge: its weights are no finite numbers; leave it out")
        return lines_of(rows.columns, levels, classes, weights * scale, intercept * scale + mean)

    def load(self, folder: Path, columns: Columns) -> Lines:
        """Read weights."""
        return Lines.load(folder, columns)

    def _estimator(self, strength: float, problem: Problem, *, values: bool) -> Any:
        """Make scikit-learn's estimator, for values or for classes."""
        raise NotImplementedError

    def _solve(self, strength: float, problem: Problem, classes: Classes | None) -> tuple[Floats, Floats]:
        """Find weights, `(columns, outputs)`, and intercept, `(outputs,)`."""
        if classes is not None:
            fitted = self._estimator(strength, problem, values=False).fit(problem.design, problem.label)
            return fitted.coef_.T, fitted.intercept_
        short = problem.shortened()
        fitted = self._estimator(strength, short, values=True).fit(short.design, short.label)
        weights = fitted.coef_.reshape(-1, 1)
        return weights, np.atleast_1d(fitted.intercept_ if short.mean is None else -short.mean @ weights)

    def _search(self, rows: Rows, problem: Problem, seed: int) -> float:
        """Find the strength with the least loss on held-out rows; in doubt, the strongest."""
        if not self.path:
            return SEARCHED
        generator = np.random.default_rng(seed)
        learn, held = (problem.take(some(places, SEARCH_ROWS, generator)) for places in parts(rows, HELD, seed))
        classes = None if rows.columns.task == "regression" else np.unique(learn.label.astype(np.int64))
        if classes is not None:  # of those that were drawn
            held = held.take(np.flatnonzero(np.isin(held.label, classes)))
        if not held.rows or (classes is not None and len(classes) < PAIR):
            return self.path[-1]
        found, least = self.path[-1], np.inf
        for strength in self.path[::-1]:
            loss = self._loss(strength, learn, held, classes)
            if loss > least:  # weaker ones are worse still, and take longest
                break
            found, least = (strength, loss) if loss < least else (found, least)
        return found

    def _loss(self, strength: float, learn: Problem, held: Problem, classes: Ints | None) -> float:
        if classes is None:
            weights, intercept = self._solve(strength, learn, None)
            return float(np.mean(((held.design @ weights)[:, 0] + intercept - held.label) ** 2))
        fitted = self._estimator(strength, learn, values=False).fit(learn.design, learn.label)
        chances = fitted.predict_proba(held.design)[np.arange(held.rows), np.searchsorted(classes, held.label)]
        return float(-np.log(np.maximum(chances, SMALLEST)).mean())


class LinearRegression(Linear):
    """Ordinary least squares; of the many solutions where columns depend on each other, the one of least norm."""

    name = "linear_regression"
    title = "linear regression"
    tasks = frozenset({"regression"})

    def _estimator(self, strength: float, problem: Problem, *, values: bool) -> Any:  # noqa: ARG002 -- no penalty
        return linear_model.LinearRegression(fit_intercept=problem.mean is None, tol=TOLERANCE)


class LogisticRegression(Linear):
    """Maximum likelihood with scikit-learn's weak penalty, ridge's at strength 1, so that separable classes end."""

    name = "logistic_regression"
    title = "logistic regression"
    tasks = frozenset({"binary", "multiclass"})

    def _estimator(self, strength: float, problem: Problem, *, values: bool) -> Any:  # noqa: ARG002 -- always the same
        return linear_model.LogisticRegression(C=1.0, max_iter=ITERATIONS, tol=TOLERANCE)


class Ridge(Linear):
    """Squared error or log loss with an L2 penalty (Hoerl and Kennard 1970)."""

    name = "ridge"
    title = "ridge"
    tasks = frozenset({"binary", "multiclass", "regression"})
    path = (0.1, 1.0, 10.0, 100.0, 1000.0, 10_000.0)

    def _estimator(self, strength: float, problem: Problem, *, values: bool) -> Any:
        if values:
            return linear_model.Ridge(alpha=strength, fit_intercept=problem.mean is None, tol=TOLERANCE)
        return linear_model.LogisticRegression(C=1 / strength, max_iter=ITERATIONS, tol=TOLERANCE)


class Lasso(Linear):
    """Squared error or log loss with an L1 penalty (Tibshirani 1996), which leaves columns out.

    Two classes are told apart by coordinate descent with Newton steps (Yuan, Ho and Lin 2012), more by SAGA (Defazio,
    Bach and Lacoste-Julien 2014).
    """

    name = "lasso"
    title = "lasso"
    tasks = frozenset({"binary", "multiclass", "regression"})
    path = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)

    def _estimator(self, strength: float, problem: Problem, *, values: bool) -> Any:
        root = np.sqrt(problem.rows)
        if values:
            return linear_model.Lasso(
                alpha=strength * root / problem.design.shape[0],  # scikit-learn means over the rows that it sees
                fit_intercept=problem.mean is None,
                precompute=problem.mean is not None,
                max_iter=SWEEPS,
                tol=TOLERANCE,
            )
        said: dict[str, Any] = {"C": 1 / (strength * root), "l1_ratio": 1.0, "random_state": problem.seed}
        if len(np.unique(problem.label)) == PAIR:
            return linear_model.LogisticRegression(solver="liblinear", tol=COARSE, intercept_scaling=LIGHT, **said)
        epochs = int(np.clip(VISITS // problem.rows, *EPOCHS))
        return linear_model.LogisticRegression(solver="saga", max_iter=epochs, tol=TOLERANCE, **said)


def lines_of(columns: Columns, levels: Levels, classes: Classes | None, weights: Floats, intercept: Floats) -> Lines:
    """Give classes that were not seen a logit of minus infinity."""
    if classes is None or columns.task == "binary":
        return Lines(columns, levels, weights, intercept)
    if weights.shape[1] == 1:  # two of several: the log-odds of the second
        weights, intercept = np.c_[-weights, weights] / 2, np.r_[-intercept, intercept] / 2
    whole, base = np.zeros((len(weights), classes.count)), np.full(classes.count, -np.inf)
    whole[:, classes.seen], base[classes.seen] = weights, intercept
    return Lines(columns, levels, whole, base)
