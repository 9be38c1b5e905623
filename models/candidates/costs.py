"""The threshold of least expected cost between two classes, and what it costs on rows that did not choose it."""

import numpy as np
from scipy import sparse

from conf.contests import Costs
from conf.exchange import Estimate
from conf.selecting import Threshold
from models.evaluation.bootstrap import resamples, tails
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
    held_clusters: Ints | None = None,
    test_clusters: Ints | None = None,
    bootstrap: int,
    seed: int,
) -> Threshold:
    """Choose the cheapest threshold on the held-out rows of all folds, and price it on test.

    A row is called class 1 from the threshold on. Thresholds lie between neighbouring quantiles of the held-out scores
    and in even steps; of equally cheap ones, that nearest to `theoretical` is chosen. Intervals are bootstrapped: of
    the threshold over held-out rows, of its cost over test rows with the threshold as it is.

    Args:
        costs: of a false positive and a false negative, in one unit.
        held_scores: `(rows,)` out-of-fold probabilities of class 1.
        held_label: `(rows,)` 0 or 1.
        test_scores: `(test rows,)`.
        test_label: `(test rows,)`.
        held_clusters: `(rows,)` what is drawn whole (`bootstrap.drawable`); None: rows are drawn.
        test_clusters: `(test rows,)`.
        bootstrap: resamples behind the intervals.
        seed: of these.

    """
    grid = _grid(held_scores)
    target = theoretical(costs)
    cells = _cells(grid, held_scores, held_label)
    place = int(_cheapest(grid, _prices(costs, _counts(grid, cells)), target))
    again = _resampled(cells, 2 * (len(grid) + 1), held_clusters, bootstrap, seed)
    cheapest = grid[_cheapest(grid, _prices(costs, again.reshape(bootstrap, len(grid) + 1, 2)), target)]
    best = float(grid[place])
    low, high = np.percentile(cheapest, tails(len(cells), held_clusters)) if bootstrap else (best, best)
    prices = _prices(costs, _counts(grid, _cells(grid, test_scores, test_label)))
    called = test_scores >= best
    kinds = np.where(called & (test_label == 0), 0, np.where(~called & (test_label == 1), 1, 2))  # 2: it is right
    wrong = [float((kinds == kind).mean()) for kind in (0, 1)]
    again = _resampled(kinds, 3, test_clusters, bootstrap, seed)
    paid = again @ [costs.false_positive, costs.false_negative, 0] / again.sum(axis=1)
    cost = float(wrong[0] * costs.false_positive + wrong[1] * costs.false_negative)
    edges = np.percentile(paid, tails(len(test_label), test_clusters)) if bootstrap else (cost, cost)
    even = np.array([EVEN])
    half = _prices(costs, _counts(even, _cells(even, test_scores, test_label)))
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
    """Where each row counts, `(rows,)`: twice how many thresholds call it class 1, and one more if it is."""
    return np.asarray(np.searchsorted(grid, scores, side="right") * 2 + (label == 1), dtype=np.int64)


def _counts(grid: Floats, cells: Ints) -> Floats:
    """Count rows by how many thresholds call them class 1, and by label: `(thresholds + 1, 2)`."""
    return np.bincount(cells, minlength=2 * (len(grid) + 1)).reshape(-1, 2).astype(np.float64)


def _resampled(cells: Ints, most: int, clusters: Ints | None, count: int, seed: int) -> Floats:
    """Count the rows of each cell in each resample: `(count, most)`.

    Rows of a cell are alike, so what rows are drawn is a multinomial draw of cells. A cluster brings the rows that it
    has in each cell as often as it is drawn.
    """
    if clusters is None:
        there = np.bincount(cells, minlength=most)
        return np.random.default_rng(seed).multinomial(len(cells), there / len(cells), count).astype(np.float64)
    keys, place = np.unique(clusters, return_inverse=True)
    there = sparse.csr_array((np.ones(len(cells)), (cells, place)), shape=(most, len(keys)))
    drawn = [there @ times for times in resamples(len(keys), count, seed)]
    return np.array(drawn).reshape(count, most)


def _prices(costs: Costs, cells: Floats) -> Floats:
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
