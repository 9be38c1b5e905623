"""Pareto fronts: which candidates are beaten by nobody in both the metric and what it takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from conf.contests import CandidateName
from conf.selecting import Standing

Price = Literal["processor_seconds", "latency_seconds", "size_bytes"]
PRICES: tuple[Price, ...] = get_args(Price)


@dataclass(frozen=True)
class Point:
    """A candidate between price and metric.

    Attributes:
        candidate: whose point it is.
        price: processor-seconds of a fit on all rows, seconds of one row at the 99th percentile, or bytes on disk.
        value: the main metric, mean over folds.
        front: whether no other is at least as good in both and better in one.

    """

    candidate: CandidateName
    price: float
    value: float
    front: bool


def front(standings: Sequence[Standing], price: Price, *, higher_is_better: bool) -> list[Point]:
    """Give the points of all that have metric and price, the cheapest first; of equally cheap ones, the better first.

    Args:
        standings: of all candidates.
        price: what the metric is weighed against.
        higher_is_better: the metric's direction.

    """
    priced = [
        (paid, standing.mean if higher_is_better else -standing.mean, standing)
        for standing in standings
        if standing.mean is not None and (paid := _price(standing, price)) is not None
    ]
    priced.sort(key=lambda entry: (entry[0], -entry[1]))
    points, best, cheapest_of_best = [], float("-inf"), float("inf")
    for paid, good, standing in priced:
        unbeaten = good > best or (good == best and paid == cheapest_of_best)
        if good > best:
            best, cheapest_of_best = good, paid
        points.append(Point(standing.candidate, paid, good if higher_is_better else -good, unbeaten))
    return points


def _price(standing: Standing, price: Price) -> float | None:
    if price == "latency_seconds":
        return None if standing.latency is None else standing.latency.one_p99_seconds
    if price == "size_bytes":
        return None if standing.size_bytes is None else float(standing.size_bytes)
    whole = standing.whole_processor_seconds  # where there was time for a share of the rows
    return standing.processor_seconds if whole is None else whole
