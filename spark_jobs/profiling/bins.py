"""Bins of a histogram that fit what they are for, as `conf.profile.NumberProfile` defines them."""

from math import ceil

import numpy as np
from numpy.typing import NDArray

BINS = 24
EACH = 32  # so many different values have a bin each
TAILS = (0.005, 0.995)  # shares of train between which the bins are laid; the outer ones take what is beyond

Floats = NDArray[np.float64]


def edges(values: Floats) -> tuple[Floats, bool]:
    """Lay bins over the `(values,)` numbers of train: one for each value if there are few, else of even width.

    Integers have bins of whole width: else some would hold one integer more than others, and look like peaks.

    Returns:
        The edges between bins, rising, and whether each value has a bin of its own.

    """
    distinct = np.unique(values)
    if len(distinct) <= EACH:
        return distinct[1:], len(distinct) > 0
    low, high = np.quantile(values, TAILS)
    if low == high:  # nearly all values are one
        low, high = distinct[0], distinct[-1]
    if np.all(distinct == np.rint(distinct)):
        width = ceil((high - low + 1) / BINS)
        return np.arange(np.floor(low) + width, high + 1, width), False
    return np.linspace(low, high, BINS + 1)[1:-1], False


def counted(values: Floats, between: Floats) -> list[int]:
    """Count the `(values,)` numbers in each bin."""
    places = np.searchsorted(between, values, side="right")
    return [int(count) for count in np.bincount(places, minlength=len(between) + 1)]
