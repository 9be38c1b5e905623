"""The metrics of each task: their names, their direction, and which one decides.

Every metric is a function of row weights. With a weight of 1 it is the metric; with the counts of a resample it is the
metric of that resample, at the price of a few sums: what needs an order is sorted once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from conf.data import Task
from conf.manifest import Label

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
EVEN = 0.5  # above it, class 1 is predicted
SMALLEST = np.finfo(np.float32).eps  # a probability is this far from 0 and 1 in log_loss, as in scikit-learn on float32


@dataclass(frozen=True)
class Metric:
    """A metric's name in MLflow and in results, its name in pictures, its direction, and what it lies between."""

    name: str
    title: str
    higher_is_better: bool
    bounds: tuple[float, float] = (0.0, 1.0)


AUC = Metric("auc", "AUC", higher_is_better=True)
AVERAGE_PRECISION = Metric("average_precision", "average precision", higher_is_better=True)
LOG_LOSS = Metric("log_loss", "log loss", higher_is_better=False, bounds=(0.0, np.inf))
BRIER = Metric("brier", "Brier score", higher_is_better=False)
ACCURACY = Metric("accuracy", "accuracy", higher_is_better=True)
MACRO_F1 = Metric("macro_f1", "macro F1", higher_is_better=True)
RMSE = Metric("rmse", "RMSE", higher_is_better=False, bounds=(0.0, np.inf))
MAE = Metric("mae", "MAE", higher_is_better=False, bounds=(0.0, np.inf))
R2 = Metric("r2", "R²", higher_is_better=True, bounds=(-np.inf, 1.0))
PERPLEXITY = Metric("perplexity", "perplexity", higher_is_better=False, bounds=(1.0, np.inf))
BITS = Metric("bits_per_token", "bits per token", higher_is_better=False, bounds=(0.0, np.inf))

# The first one is the main one: it decides about promotion. AUC asks for order alone, so neither a threshold nor the
# share of late flights in a month moves it. For several classes, log loss is proper and uses every probability, where
# accuracy sees only the largest and moves in steps of a row.
METRICS: Mapping[Task, tuple[Metric, ...]] = {
    "binary": (AUC, AVERAGE_PRECISION, LOG_LOSS, BRIER, ACCURACY),
    "multiclass": (LOG_LOSS, ACCURACY, MACRO_F1, AUC),
    "regression": (RMSE, MAE, R2),
    "sequence": (LOG_LOSS, BITS, PERPLEXITY, ACCURACY),
}


def main_metric(task: Task) -> Metric:
    """The metric that decides."""
    return METRICS[task][0]


class Judge(Protocol):
    """Metrics of one set of predictions as functions of `weights`, `(rows,)` counts.

    A metric that the rows do not define (AUC where one class is absent) is left out.
    """

    def __call__(self, weights: Floats) -> dict[str, float]:
        """Metric name -> value."""
        ...


def judge(task: Task, scores: Floats, label: Floats) -> Judge:
    """Prepare the metrics of `task`.

    Args:
        task: decides which metrics.
        scores: `(rows,)` probability of class 1 (binary), `(rows, classes)` probabilities (multiclass), `(rows,)`
            values in the label's unit (regression), or `(rows, 2)` log loss and accuracy of a row's tokens (sequence).
        label: `(rows,)` class codes, or values in the label's unit. That of a sequence is in its scores already: all
            probabilities, one for each class at each place, would be too many to keep.

    """
    if task == "binary":
        return _Binary(scores, label)
    if task == "multiclass":
        return _Multiclass(scores, label.astype(np.int64))
    return _Sequence(scores) if task == "sequence" else _Regression(scores, label)


def trivial(task: Task, label: Label, truth: Floats) -> Floats:
    """Scores of the trivial predictor, which knows the train labels alone: their shares, or their mean.

    Args:
        task: decides what scores are.
        label: the train labels.
        truth: `(rows,)` labels; `(rows, places)` of a sequence.

    """
    rows = len(truth)
    if task == "sequence":
        tokens, prior = truth.astype(np.int64), np.asarray(label.prior)
        losses, likeliest = -np.log(np.clip(prior, SMALLEST, 1)), prior.argmax()
        return np.stack([losses[tokens].mean(axis=1), (tokens == likeliest).mean(axis=1)], axis=1)
    if task == "binary":
        return np.full(rows, label.prior[1])
    if task == "multiclass":
        return np.tile(np.asarray(label.prior), (rows, 1))
    return np.full(rows, label.mean)


class Ranking:
    """Rows in falling order of score, ties together: what AUC and average precision are made of."""

    def __init__(self, scores: Floats, positive: NDArray[np.bool_]) -> None:
        """Sort once."""
        self._order = np.argsort(-scores, kind="stable")
        ordered = scores[self._order]
        self._starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        self._positive = positive[self._order].astype(np.float64)

    def counts(self, weights: Floats) -> tuple[Floats, Floats]:
        """Count the positive and the negative weight of each distinct score, `(scores,)` each, falling."""
        ordered = weights[self._order]
        positive = ordered * self._positive
        return np.add.reduceat(positive, self._starts), np.add.reduceat(ordered - positive, self._starts)

    def auc(self, weights: Floats) -> float | None:
        """Chance that a positive row scores above a negative one, ties counting half (Mann and Whitney, 1947)."""
        positive, negative = self.counts(weights)
        pairs = positive.sum() * negative.sum()
        if pairs == 0:
            return None
        above = np.cumsum(positive) - positive / 2
        return float(above @ negative / pairs)

    def average_precision(self, weights: Floats) -> float | None:
        """Precision at each distinct score, weighted by the recall that it adds."""
        positive, negative = self.counts(weights)
        total = positive.sum()
        if total == 0:
            return None
        found = np.cumsum(positive)
        selected = found + np.cumsum(negative)
        precision = np.divide(found, selected, out=np.zeros_like(found), where=selected > 0)
        return float(precision @ positive / total)


class _Binary:
    def __init__(self, scores: Floats, label: Floats) -> None:
        self._ranking = Ranking(scores, label == 1)
        sure = np.clip(scores, SMALLEST, 1 - SMALLEST)
        self._losses = np.stack(
            [-np.where(label == 1, np.log(sure), np.log1p(-sure)), (scores - label) ** 2, (scores > EVEN) == label]
        )

    def __call__(self, weights: Floats) -> dict[str, float]:
        log_loss, brier, accuracy = self._losses @ weights / weights.sum()
        found = {
            AUC.name: self._ranking.auc(weights),
            AVERAGE_PRECISION.name: self._ranking.average_precision(weights),
            LOG_LOSS.name: float(log_loss),
            BRIER.name: float(brier),
            ACCURACY.name: float(accuracy),
        }
        return {name: value for name, value in found.items() if value is not None}


class _Multiclass:
    def __init__(self, scores: Floats, label: Ints) -> None:
        self._classes = scores.shape[1]
        self._cells = label * self._classes + scores.argmax(axis=1)
        sure = np.clip(scores, SMALLEST, 1)
        sure = sure / sure.sum(axis=1, keepdims=True)
        self._loss = -np.log(sure[np.arange(len(label)), label])
        self._rankings = [Ranking(scores[:, code], label == code) for code in range(self._classes)]

    def __call__(self, weights: Floats) -> dict[str, float]:
        total = weights.sum()
        confusion = np.bincount(self._cells, weights, self._classes**2).reshape(self._classes, -1)
        hits, involved = np.diag(confusion), confusion.sum(axis=0) + confusion.sum(axis=1)
        f1 = 2 * hits[involved > 0] / involved[involved > 0]  # classes that neither occur nor are predicted have none
        found = {
            LOG_LOSS.name: float(self._loss @ weights / total),
            ACCURACY.name: float(hits.sum() / total),
            MACRO_F1.name: float(f1.mean()),
        }
        areas = [ranking.auc(weights) for ranking in self._rankings]
        present = [area for area in areas if area is not None]
        return found | {AUC.name: float(np.mean(present))} if present else found


class _Regression:
    def __init__(self, scores: Floats, label: Floats) -> None:
        error = scores - label
        self._centre = label.mean()
        centred = label - self._centre
        self._sums = np.stack([error**2, np.abs(error), centred**2, centred])

    def __call__(self, weights: Floats) -> dict[str, float]:
        squared, absolute, spread, mean = self._sums @ weights / weights.sum()
        found = {RMSE.name: float(np.sqrt(squared)), MAE.name: float(absolute)}
        variance = spread - mean**2
        return found | {R2.name: float(1 - squared / variance)} if variance > 0 else found


class _Sequence:
    """Rows have as many places each, so a mean over rows is one over places; what is resampled is rows."""

    def __init__(self, scores: Floats) -> None:
        self._scores = scores

    def __call__(self, weights: Floats) -> dict[str, float]:
        log_loss, accuracy = weights @ self._scores / weights.sum()
        bits, perplexity = log_loss / np.log(2), np.exp(log_loss)
        found = (log_loss, bits, perplexity, accuracy)
        return {metric.name: float(value) for metric, value in zip(METRICS["sequence"], found, strict=True)}
