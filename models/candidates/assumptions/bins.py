"""Shares of variance that a binned function of a column explains."""

from typing import NamedTuple

import numpy as np
from scipy import stats

from models.evaluation.metrics import Floats, Ints


class Share(NamedTuple):
    """Share of variance beyond chance, with the F test of its being zero."""

    share: float
    f: float
    p_value: float


def quantile_bins(values: Floats, most: int) -> Ints:
    """Bins of about equally many rows, `(rows,)`, from 0 on; equal values stay together, so there may be fewer."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, most + 1)[1:-1]))
    return np.unique(np.searchsorted(edges, values, side="left"), return_inverse=True)[1].astype(np.int64)


def means(values: Floats, bins: Ints) -> tuple[Floats, Floats]:
    """Mean of each bin and its standard error, `(bins,)`."""
    rows = np.bincount(bins)
    mean = np.bincount(bins, values) / rows
    spread = np.bincount(bins, (values - mean[bins]) ** 2) / np.maximum(rows - 1, 1)
    return mean, np.sqrt(spread / rows)


def explained(values: Floats, bins: Ints, fitted: int = 1) -> Share | None:
    """Share of the variance of `values` that lies between bins: epsilon squared (Kelley 1935), and its F test.

    Args:
        values: `(rows,)`, of which `fitted` parameters within the span of the bins were taken out already.
        bins: `(rows,)`.
        fitted: how many.

    Returns:
        None: there are too few rows or bins, or nothing varies.

    """
    bound, rows = int(bins.max()) + 1, len(values)
    between, within = bound - fitted, rows - bound
    centred = values - values.mean()
    total = float(centred @ centred)
    if between < 1 or within < 1 or total <= 0:
        return None
    sums = np.bincount(bins, centred)
    found = float((sums**2 / np.bincount(bins)).sum())
    noise = max(total - found, total * np.finfo(np.float64).eps) / within
    f = found / between / noise
    return Share(max(0.0, (found - between * noise) / total), f, float(stats.f.sf(f, between, within)))


def without_line(values: Floats, column: Floats) -> Floats:
    """Residuals of the straight line of `values` over `column`, `(rows,)`."""
    return without_lines(values, column, np.zeros(len(values), dtype=np.int64))


def without_lines(values: Floats, column: Floats, bins: Ints) -> Floats:
    """Residuals of one straight line for each bin, `(rows,)`."""
    rows = np.bincount(bins)
    x = column - (np.bincount(bins, column) / rows)[bins]
    y = values - (np.bincount(bins, values) / rows)[bins]
    spread = np.bincount(bins, x**2)
    slope = np.divide(np.bincount(bins, x * y), spread, out=np.zeros_like(spread), where=spread > 0)
    return y - slope[bins] * x
