"""Percentile bootstrap (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 13 and 16)."""

from collections.abc import Iterator

import numpy as np

from conf.exchange import Estimate
from models.evaluation.metrics import Floats, Judge

TAILS = (2.5, 97.5)  # percent: what lies between them is the 95 % interval


def resamples(rows: int, count: int, seed: int) -> Iterator[Floats]:
    """How often each row is drawn, `(rows,)`, in each of `count` samples with replacement of as many rows."""
    generator = np.random.default_rng(seed)
    for _ in range(count):
        yield np.bincount(generator.integers(0, rows, rows), minlength=rows).astype(np.float64)


def estimates(judge: Judge, rows: int, count: int, seed: int) -> dict[str, Estimate]:
    """Every metric with its 95 % interval; a resample that leaves a metric undefined does not count for it."""
    values = judge(np.ones(rows))
    drawn = [judge(weights) for weights in resamples(rows, count, seed)]
    found = {}
    for name, value in values.items():
        low, high = np.percentile([draw[name] for draw in drawn if name in draw] or [value], TAILS)
        found[name] = Estimate(value=value, low=float(low), high=float(high))
    return found


def difference(metric: str, ours: Judge, theirs: Judge, *, rows: int, count: int, seed: int) -> Estimate | None:
    """By how much `metric` is higher in `ours`, both judged on the same resamples; None where it is undefined."""
    whole = np.ones(rows)
    mine, other = ours(whole), theirs(whole)
    if metric not in mine or metric not in other:
        return None
    drawn = [(ours(weights), theirs(weights)) for weights in resamples(rows, count, seed)]
    gaps = [a[metric] - b[metric] for a, b in drawn if metric in a and metric in b]
    low, high = np.percentile(gaps, TAILS)
    return Estimate(value=mine[metric] - other[metric], low=float(low), high=float(high))
