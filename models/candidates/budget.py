"""Who may take how long: predicted seconds of fits, and fair shares of what there is."""

from collections.abc import Callable, Mapping, Sequence
from heapq import heapreplace
from typing import TypeVar

import numpy as np

Seen = Sequence[tuple[float, float]]  # rows, or another measure of the work, and seconds of fits
Name = TypeVar("Name", bound=str)
FLATTEST, STEEPEST, FARTHEST = 1.0, 2.0, 30.0
QUICKEST = 1e-3  # second: what is less is noise
OWN = 0.2  # of a fit's seconds make its law at least: what is left beside a start may be noise alone
MARGIN = 1.25  # seconds that are reserved for each predicted one of a fit
MARGIN_OF_FOLDS = 1.1  # and of a candidate's folds, of which what the first take tells what the others do
FEWEST_SECONDS = 10.0  # that a fit may take however poor the budget is: a network has to start
PATIENCE = 3.0  # times its predicted seconds, after which a fit is ended
STEPS = 40  # of a bisection


def seconds_at(work: float, seen: Seen, start: float = 0.0) -> float:
    """Predict the seconds of a fit of so much work: a power law through the largest size seen, by its median.

    Its exponent is the median of those from each size that is at most half of it (of two that are nearly the same,
    noise would make the law) and at least a thirtieth, or else from the next smaller one; it is between 0 and 2, and
    1 at least for more work than was seen: what seems to grow more slowly has a start of its own, or was lucky. If
    there is no such size, it is 1 for more work and 1/2 for less: part of the seconds may be a start of its own.

    Args:
        work: of the fit, such as its rows.
        seen: at least one fit.
        start: seconds that any fit takes, whatever is fitted.

    """
    medians = {
        size: float(np.median([seconds for each, seconds in seen if each == size]))
        for size in {size for size, _ in seen}
    }
    largest = max(medians)
    smaller = [size for size in medians if 2 * size <= largest <= FARTHEST * size]
    smaller = smaller or [max((size for size in medians if 2 * size <= largest), default=largest)]
    times = {size: max(OWN * medians[size], medians[size] - start) for size in (largest, *smaller)}
    if smaller != [largest]:
        slopes = [np.log(times[largest] / times[size]) / np.log(largest / size) for size in smaller]
        exponent = float(np.clip(np.median(slopes), FLATTEST if work > largest else 0, STEEPEST))
    else:
        exponent = 1.0 if work > largest else 0.5
    own = max(QUICKEST, medians[largest] - start)
    return float(start + own * (max(1, work) / largest) ** exponent)


def makespan(seconds: Sequence[float], at_once: int) -> float:
    """Seconds from the first beginning to the last end, each beginning in order as soon as one of the places is free.

    That is list scheduling (Graham, "Bounds on multiprocessing timing anomalies", 1969).
    """
    free = [0.0] * at_once
    for each in seconds:
        heapreplace(free, free[0] + each)
    return max(free)


def patience(predicted: float, fit_seconds: float) -> float:
    """Seconds after which a fit is ended: what is far beyond its prediction would be at the cost of others."""
    return min(fit_seconds, max(FEWEST_SECONDS, PATIENCE * predicted))


def allot(needs: Mapping[Name, float], purse: float, weights: Mapping[Name, float] | None = None) -> dict[Name, float]:
    """Share a purse max-min fairly (Bertsekas and Gallager, "Data Networks", 1992, section 6.5.2).

    Who needs less than an equal share gets that, and what is left over is shared equally by the others: no expensive
    candidate takes anything from a cheap one. With weights, shares are in their proportion.
    """
    weighs = weights or dict.fromkeys(needs, 1.0)
    found: dict[Name, float] = {}
    left, weight = max(0.0, purse), sum(weighs[name] for name in needs)
    for name, need in sorted(needs.items(), key=lambda each: each[1] / weighs[each[0]]):
        found[name] = min(need, left * min(1.0, weighs[name] / weight))
        left, weight = left - found[name], weight - weighs[name]
    return found


def largest_share(pays: Callable[[float], bool]) -> float:
    """Find a share that pays, 0 to 1, by bisection: 1 if all does, 0 if none; the largest, if all smaller ones pay."""
    if pays(1.0):
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if pays(middle) else (low, middle)
    return low
