"""What became of each candidate, in numbers that can be compared."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from conf.selecting import Curve, Standing
from models.candidates.bench import Bench, Entry
from models.candidates.folds import Fold
from models.evaluation.metrics import Floats, Metric

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Scale:
    """How values of the main metric over the same folds are compared.

    Attributes:
        metric: the main one.
        overlap: held-out rows over those that are learned from, where folds learn from one another's rows (Nadeau and
            Bengio 2003, equation 9: without it, errors are too small); 0 for expanding windows, whose gaps vary with
            their rows anyway, and each of which is a unit.

    """

    metric: Metric
    overlap: float = 0.0

    def gap(self, ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float]:
        """By how much `ours` are worse, on average over folds, and the standard error of that; infinite of one fold.

        One fold says nothing of how far others would be from it.
        """
        sign = 1.0 if self.metric.higher_is_better else -1.0
        gaps = sign * (np.asarray(theirs) - np.asarray(ours))
        return float(gaps.mean()), self.error(gaps)

    def interval(self, values: Sequence[float]) -> tuple[float, float] | None:
        """95 % interval of the average over folds (Student 1908), within the metric's bounds; None of one fold."""
        if len(values) == 1:
            return None
        half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * self.error(values)
        low, high = np.clip(np.mean(values) + np.array([-half, half]), *self.metric.bounds)
        return float(low), float(high)

    def beats(self, ours: Sequence[float], theirs: Sequence[float]) -> bool:
        """Whether `ours` are better beyond noise (Student's t, one-sided, 95 %); one fold never tells."""
        behind, error = self.gap(ours, theirs)
        bar = float(stats.t.ppf(CONFIDENCE, len(ours) - 1)) * error if len(ours) > 1 else error
        return -behind > bar

    def best(self, standings: Sequence[Standing]) -> Standing:
        """The best average; of equal ones, the simplest."""
        sign = 1.0 if self.metric.higher_is_better else -1.0
        return max(standings, key=lambda standing: sign * (standing.mean or 0.0))

    def error(self, values: Sequence[float] | Floats) -> float:
        """Give the standard error of the average over folds; infinite of one fold."""
        if len(values) == 1:
            return float("inf")
        return float(np.sqrt((1 / len(values) + self.overlap) * np.var(values, ddof=1)))


def scale_of(metric: Metric, folds: Sequence[Fold], where: str | None) -> Scale:
    """How values over these folds are compared."""
    if where == "day":
        return Scale(metric)
    return Scale(metric, float(np.mean([len(fold.held) / len(fold.learn) for fold in folds])))


def standing(entry: Entry, bench: Bench, scale: Scale, rows: int) -> Standing:
    """Say what the fits of a candidate have shown; what needs its model or others is still to be said.

    Args:
        entry: the candidate.
        bench: that has its fits.
        scale: how folds are compared.
        rows: of train and validation, all of them.

    """
    folds = [value for fit in entry.folds if (value := bench.value(fit)) is not None]
    alive, final = entry.failure is None and bool(folds), entry.final
    low, high = (alive and scale.interval(folds)) or (None, None)
    return Standing(
        candidate=entry.name,
        family=entry.candidate.family,
        values=entry.values,
        members={each.name: weight for each, weight in entry.members},
        folds=folds,
        mean=float(np.mean(folds)) if alive else None,
        error=scale.error(folds) if low is not None else None,
        low=low,
        high=high,
        behind=None,
        behind_error=None,
        test={},
        rows=final.rows if final else 0,
        share=entry.share,
        processor_seconds=final.processor_seconds if final else None,
        whole_processor_seconds=bench.processor_seconds(entry, rows) if final and final.rows < rows else None,
        seconds=final.seconds if final else None,
        peak_memory_bytes=final.peak_memory_bytes if final else None,
        size_bytes=None,
        latency=None,
        curve=Curve(rows=[], values=[], law=None),
        periods=[],
        threshold=None,
        failure=entry.failure,
    )


def compared(standings: Sequence[Standing], scale: Scale) -> list[Standing]:
    """Add to each how far it is behind the best, paired by fold."""
    there = [each for each in standings if each.mean is not None]
    if not there:
        return list(standings)
    best = scale.best(there)
    found = []
    for each in standings:
        behind, error = scale.gap(each.folds, best.folds) if each.mean is not None else (None, None)
        known = error if error is not None and np.isfinite(error) else None
        found.append(each.model_copy(update={"behind": behind, "behind_error": known}))
    return found
