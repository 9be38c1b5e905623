"""Doing one fit, wherever it is done."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from conf.contests import CandidateName
from conf.errors import FranklinError
from conf.selecting import Fit, FitTask
from models.candidates.apart import Limits, Outcome, together
from models.candidates.candidate import Candidate, Fitted
from models.candidates.rows import Columns, Rows
from models.evaluation.metrics import Floats, Ints, judge

BLOCK = 2**18  # rows


class Fits(Protocol):
    """Where fits are done.

    Attributes:
        at_once: how many are done at a time.
        slowest_start: seconds at most that a fit of no rows would take, such as those of its process or of its jobs.
        same_start: whether these are the same for all candidates, so that the quickest of them shows them.

    """

    at_once: int
    slowest_start: float
    same_start: bool

    def do(self, tasks: Sequence[FitTask], done: Callable[[Fit], None]) -> None:
        """Fit candidates on rows, score others and judge them; a failure is a result too.

        Args:
            tasks: in the order in which they are begun.
            done: is told each fit as soon as it is done.

        """
        ...


class LocalFits:
    """Fits in forked processes, which share the rows."""

    slowest_start, same_start = 1.0, True

    def __init__(
        self,
        pool: Rows,
        test: Rows,
        candidates: Mapping[CandidateName, Candidate],
        run_folder: Path,
        at_once: int = 1,
    ) -> None:
        """Fit these candidates.

        Args:
            pool: rows of train, then of validation.
            test: rows of test, for final fits.
            candidates: by name.
            run_folder: that scores and models are in.
            at_once: fits at a time; who takes several processes has the machine for itself.

        """
        self._pool, self._test, self._candidates, self._run_folder = pool, test, candidates, run_folder
        self.at_once = at_once

    def do(self, tasks: Sequence[FitTask], done: Callable[[Fit], None]) -> None:
        """Fork a process for each."""
        shared = [task for task in tasks if not self._candidates[task.candidate].alone]
        own = [[task] for task in tasks if self._candidates[task.candidate].alone]
        for group in (shared, *own):
            works = [partial(self._fit, task) for task in group]
            limits = [Limits(task.memory_bytes, task.timeout_seconds, task.threads) for task in group]

            def ended(place: int, outcome: Outcome, group: Sequence[FitTask] = group) -> None:
                done(fit_of(group[place], outcome, self._run_folder))

            together(works, limits, self.at_once, ended)

    def _fit(self, task: FitTask) -> dict[str, float]:
        candidate = self._candidates[task.candidate]
        blind = candidate.family == "baseline"  # it looks at no column, so it takes no copy of any
        pool, test = (rows.bare() if blind else rows for rows in (self._pool, self._test))
        learn = pool.take(np.load(task.learn))
        fitted = candidate.fit(learn, seed=task.seed, values=task.values, threads=task.threads)
        scores = predicted(fitted, test) if task.held is None else predicted(fitted, pool, np.load(task.held))
        held = self._test.bare() if task.held is None else self._pool.bare().take(np.load(task.held))
        check_scores(scores, held.columns, len(held))
        np.save(task.scores, scores)
        if task.model is not None:
            task.model.mkdir(parents=True, exist_ok=True)
            fitted.save(task.model)
        return judged(held, scores)


def predicted(fitted: Fitted, rows: Rows, places: Ints | None = None, block: int = BLOCK) -> Floats:
    """Scores of some rows, or of all, in that order; no more than a block of rows is copied at a time."""
    if places is None and len(rows) <= block:
        return np.asarray(fitted.predict(rows), np.float64)
    wanted = np.arange(len(rows)) if places is None else places
    blocks = np.split(wanted, range(block, len(wanted), block))
    return np.concatenate([np.asarray(fitted.predict(rows.take(part)), np.float64) for part in blocks])


def judged(held: Rows, scores: Floats) -> dict[str, float]:
    """Every metric of the task that these rows define.

    Raises:
        FranklinError: scores are so far off that one is no finite number.

    """
    metrics = judge(held.columns.task, scores, held.label)(np.ones(len(held)))
    for name, value in metrics.items():
        if not np.isfinite(value):
            raise FranklinError(f"its {name} is {value}: scores are from {scores.min():.3g} to {scores.max():.3g}")
    return metrics


def check_scores(scores: Floats, columns: Columns, rows: int) -> None:
    """See that scores are what `judge` takes.

    Raises:
        FranklinError: they are not.

    """
    shape = (rows, len(columns.classes)) if columns.task == "multiclass" else (rows,)
    if scores.shape != shape:
        raise FranklinError(f"its scores have the shape {scores.shape}, not {shape}")
    if not np.isfinite(scores).all():
        raise FranklinError(f"{(~np.isfinite(scores)).sum()} of its {scores.size} scores are no finite numbers")


def fit_of(task: FitTask, outcome: Outcome, run_folder: Path) -> Fit:
    """Make a line of the journal of what became of a task."""
    metrics = outcome.value or {}
    return Fit(
        candidate=task.candidate,
        phase=task.phase,
        fold=task.fold,
        rows=len(np.load(task.learn, mmap_mode="r")),
        values=task.values,
        metrics=metrics,
        seconds=outcome.seconds,
        processor_seconds=outcome.processor_seconds,
        peak_memory_bytes=outcome.peak_memory_bytes,
        failure=outcome.failure,
        scores=str(task.scores.relative_to(run_folder)) if outcome.failure is None else None,
    )
