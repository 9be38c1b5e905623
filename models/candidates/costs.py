"""The threshold of least expected cost between two classes, and what it costs on rows that did not choose it."""

import numpy as np

from conf.contests import Costs
from conf.exchange import Estimate
from conf.selecting import Threshold
from models.evaluation.bootstrap import TAILS
from models.evaluation.metrics import EVEN, Floats, Ints

QUANTILES, STEPS = 200, 50


def theoretical(costs: Costs) -> float:
    """Cheapest threshold of calibrated probabilities: FP / (FP + FN) (Elkan 2001, equation 2, right ones free)."""
    return costs.false_positive / (costs.false_positive + costs.false_negative)


def threshold(
    costs: Costs,
    held_scores: Floats,
    held_label: Floats,
    test_scores: Floats,
    test_label: Floats,
    *,
    bootstrap: int,
    seed: int,
) -> Threshold:
    """Choose the cheapest threshold on the held-out rows of all folds, and price it on test.

    A row is called class 1 from the threshold on. Thresholds lie between neighbouring quantiles of the held-out scores
    and in even steps; of equally cheap ones, that nearest to `theoretical` is chosen. What is drawn with replacement
    are rows; counted by threshold and label, that is a multinomial draw.

    Args:
        costs: of a false positive and a false negative, in one unit.
        held_scores: `(rows,)` out-of-fold probabilities of class 1.
        held_label: `(rows,)` 0 or 1.
        test_scores: `(test rows,)`.
        test_label: `(test rows,)`.
        bootstrap: resamples behind the intervals.
        seed: of these.

    """
    grid = _grid(held_scores)
    generator = np.random.default_rng(seed)
    target = theoretical(costs)
    held = _cells(grid, held_scores, held_label)
    place = int(_cheapest(grid, _prices(costs, held), target))
    drawn = generator.multinomial(held.sum(), held.ravel() / held.sum(), bootstrap).reshape(-1, *held.shape)
    low, high = (
        np.percentile(grid[_cheapest(grid, _prices(costs, drawn), target)], TAILS)
        if bootstrap
        else (grid[[place, place]])
    )
    best = float(grid[place])
    prices = _prices(costs, _cells(grid, test_scores, test_label))
    called = test_scores >= best
    wrong = [float((called & (test_label == 0)).mean()), float((~called & (test_label == 1)).mean())]
    shares = np.array([*wrong, 1 - sum(wrong)]).clip(0)
    resampled = generator.multinomial(len(test_label), shares / shares.sum(), bootstrap) / len(test_label)
    paid = resampled[:, 0] * costs.false_positive + resampled[:, 1] * costs.false_negative
    cost = float(wrong[0] * costs.false_positive + wrong[1] * costs.false_negative)
    edges = np.percentile(paid, TAILS) if bootstrap else (cost, cost)
    half = _prices(costs, _cells(np.array([EVEN]), test_scores, test_label))
    return Threshold(
        thresholds=[float(value) for value in grid],
        costs=[float(price) for price in prices],
        best=best,
        low=float(low),
        high=float(high),
        cost=Estimate(value=cost, low=float(edges[0]), high=float(edges[1])),
        cost_at_half=float(half[0]),
        false_positives=wrong[0],
        false_negatives=wrong[1],
    )


def _grid(scores: Floats) -> Floats:
    """Rising thresholds: 0 (all are class 1), between quantiles of the scores, in even steps, and 1."""
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, QUANTILES + 1)))
    between = (edges[1:] + edges[:-1]) / 2
    return np.unique(np.clip(np.r_[0, between, np.linspace(0, 1, STEPS + 1)], 0, 1))


def _cells(grid: Floats, scores: Floats, label: Floats) -> Ints:
    """Count rows by how many thresholds call them class 1, and by label: `(thresholds + 1, 2)`."""
    reached = np.searchsorted(grid, scores, side="right")
    cells = reached * 2 + (label == 1)
    return np.bincount(cells, minlength=2 * (len(grid) + 1)).reshape(-1, 2)


def _prices(costs: Costs, cells: Ints) -> Floats:
    """Cost a row at each threshold, `(..., thresholds)`, of `(..., thresholds + 1, 2)` counts."""
    below = cells.cumsum(axis=-2)
    missed = below[..., :-1, 1]
    alarms = below[..., -1:, 0] - below[..., :-1, 0]
    paid = missed * costs.false_negative + alarms * costs.false_positive
    return np.asarray(paid / cells.sum(axis=(-1, -2))[..., None], dtype=np.float64)


def _cheapest(grid: Floats, prices: Floats, target: float) -> Ints:
    """Place of the cheapest threshold, `(...)`; of equally cheap ones, the nearest to `target`."""
    least = prices.min(axis=-1, keepdims=True)
    ties = prices <= least * (1 + 1e-12)
    return np.asarray(np.where(ties, np.abs(grid - target), np.inf).argmin(axis=-1), dtype=np.int64)
