"""Candidates that look at the label alone: what everyone else has to beat."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from models.candidates.candidate import Candidate, Value
from models.candidates.learning import settled
from models.candidates.rows import Columns, Rows
from models.evaluation.metrics import Floats

FILE = "constant.json"


class Constant:
    """The same scores for every row."""

    def __init__(self, score: Floats) -> None:
        """Give `score` to every row: `()`, or `(classes,)`."""
        self.score = score

    def predict(self, rows: Rows) -> Floats:
        """Give scores, `(rows,)` or `(rows, classes)`."""
        return np.broadcast_to(self.score, (len(rows), *self.score.shape)).copy()

    def save(self, folder: Path) -> None:
        """Write the score as JSON."""
        (folder / FILE).write_text(json.dumps(self.score.tolist()), encoding="utf-8")


class _Baseline(Candidate):
    family = "baseline"

    def fit(self, rows: Rows, *, seed: int, values: Mapping[str, Value], threads: int) -> Constant:  # noqa: ARG002 -- nothing is drawn, and nothing takes long
        """Learn from labels."""
        settled(self.title, {}, values)
        return Constant(np.asarray(self._score(rows), np.float64))

    def load(self, folder: Path, columns: Columns) -> Constant:  # noqa: ARG002 -- they are not looked at
        """Read the score."""
        return Constant(np.asarray(json.loads((folder / FILE).read_text(encoding="utf-8")), np.float64))

    def _score(self, rows: Rows) -> Floats:
        raise NotImplementedError


class Mean(_Baseline):
    """The mean label, which no constant beats in squared error."""

    name = "mean"
    title = "mean"
    tasks = frozenset({"regression"})

    def _score(self, rows: Rows) -> Floats:
        return np.asarray(rows.label.mean())


class Median(_Baseline):
    """The median label, which no constant beats in absolute error."""

    name = "median"
    title = "median"
    tasks = frozenset({"regression"})

    def _score(self, rows: Rows) -> Floats:
        return np.asarray(np.median(rows.label))


class Majority(_Baseline):
    """Each class with its share of the rows as its probability, so the most frequent one is the likeliest."""

    name = "majority"
    title = "majority class"
    tasks = frozenset({"binary", "multiclass"})

    def _score(self, rows: Rows) -> Floats:
        return _shares(rows)


class LastValue(_Baseline):
    """The mean label of the newest day, or its shares of classes."""

    name = "last_value"
    title = "last value"
    tasks = frozenset({"binary", "multiclass", "regression"})

    def suits(self, columns: Columns) -> bool:
        """Whether rows have days."""
        return super().suits(columns) and columns.where == "day"

    def _score(self, rows: Rows) -> Floats:
        newest = rows if rows.where is None else rows.take(np.flatnonzero(rows.where == rows.where.max()))
        return np.asarray(newest.label.mean()) if rows.columns.task == "regression" else _shares(newest)


def _shares(rows: Rows) -> Floats:
    """Share of each class; of class 1 alone where there are two."""
    counts = np.bincount(rows.label.astype(np.int64), minlength=len(rows.columns.classes))
    shares = counts / counts.sum()
    return np.asarray(shares[1]) if rows.columns.task == "binary" else shares
