"""Weights of an ensemble's members, chosen greedily on held-out scores."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from conf.data import Task
from models.evaluation.metrics import Floats, judge, main_metric

ROUNDS = 20  # weights are multiples of one in so many, or fewer
MOST_SCORES = 50_000  # of one member over all folds: more say the same, and take as much longer


@dataclass(frozen=True)
class Said:
    """What all members have said of the held-out rows of a fold.

    Attributes:
        scores: `(members, rows)` or `(members, rows, classes)`, as `models.evaluation.metrics.judge` takes them.
        label: `(rows,)`.

    """

    scores: Floats
    label: Floats


def blend(scores: Floats, weights: Floats) -> Floats:
    """Weighted mean of members' scores: `(members, rows, ...)` to `(rows, ...)`."""
    found: Floats = np.tensordot(weights, scores, axes=1)
    return found


def weigh(task: Task, folds: Sequence[Said], seed: int) -> Floats:
    """Choose weights by greedy selection with replacement (Caruana et al. 2004, section 2).

    In each round that member is added which makes the mean over folds of the main metric best. Of all these ensembles
    the best one is taken; of equal ones, the first.

    Args:
        task: says what scores are, and which metric decides.
        folds: at least one; each defines the metric.
        seed: of the rows that are looked at where there are many.

    Returns:
        `(members,)`, of sum 1.

    """
    some = [_some(task, fold, MOST_SCORES // len(folds), seed) for fold in folds]
    sums = [np.zeros_like(fold.scores[0]) for fold in some]
    members = range(len(some[0].scores))
    counts = np.zeros(len(members))
    found: Floats = counts
    best = -np.inf
    for turn in range(1, ROUNDS + 1):
        values = []
        for member in members:
            means = [(total + fold.scores[member]) / turn for total, fold in zip(sums, some, strict=True)]
            values.append(float(np.mean([_value(task, *each) for each in zip(means, some, strict=True)])))
        chosen = int(np.argmax(values))
        counts[chosen] += 1
        sums = [total + fold.scores[chosen] for total, fold in zip(sums, some, strict=True)]
        if values[chosen] > best:
            best, found = values[chosen], counts.copy()
    weights: Floats = found / found.sum()
    return weights


def _value(task: Task, scores: Floats, fold: Said) -> float:
    """The main metric, such that more is better; NaN where the rows do not define it."""
    metric = main_metric(task)
    value = judge(task, scores, fold.label)(np.ones(len(fold.label))).get(metric.name, np.nan)
    return value if metric.higher_is_better else -value


def _some(task: Task, fold: Said, most: int, seed: int) -> Said:
    """So many scores of each member, or all, if those do not define the metric."""
    rows, outputs = len(fold.label), fold.scores[0].size // len(fold.label)
    if rows * outputs <= most:
        return fold
    places = np.sort(np.random.default_rng(seed).choice(rows, max(1, most // outputs), replace=False))
    drawn = Said(fold.scores[:, places], fold.label[places])
    return fold if np.isnan(_value(task, drawn.scores[0], drawn)) else drawn
