"""Fits that Spark does: a service of `spark_jobs/` that is told a task a line, and answers a fit a line."""

import subprocess
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import numpy as np

from conf.contests import CandidateName
from conf.errors import FranklinError
from conf.selecting import ContestRequest, Fit, FitTask
from models.candidates.apart import Limits, Outcome, apart
from models.candidates.boosted import HELD
from models.candidates.fits import check_scores, fit_of, judged
from models.candidates.learning import parts
from models.candidates.rows import Columns, Rows

CLOSE_SECONDS = 30.0
BRING_SECONDS = 120.0  # that reading a fitted model may take
BOOSTED: tuple[CandidateName, ...] = ("gradient_boosting", "xgboost")
_Service = tuple[subprocess.Popen[str], IO[str], IO[str]]  # the process, its input and its output


class SparkFits:
    """A client of the service, which is started with the first task and ended by `close`."""

    at_once = 1  # Spark has all cores for each
    slowest_start, same_start = 30.0, False  # an optimizer that has more steps has more jobs

    def __init__(self, command: Sequence[str], request: ContestRequest, pool: Rows, test: Rows) -> None:
        """Start nothing yet.

        Args:
            command: of the service; the request's path comes behind it.
            request: of the contest.
            pool: rows of train, then of validation; of these and of test, the labels judge scores.
            test: rows of test.

        """
        self._command, self._request, self._pool, self._test = command, request, pool.bare(), test.bare()
        self._service: _Service | None = None

    def do(self, tasks: Sequence[FitTask], done: Callable[[Fit], None]) -> None:
        """Have candidates fitted, one after the other, judge their scores, and bring models that are kept here.

        What the service fails to answer is a failure, and the next task starts it anew.
        """
        for task in tasks:
            started = time.monotonic()
            try:
                fit = self._asked(self._with_stops(task))
            except FranklinError as error:
                outcome = Outcome(None, time.monotonic() - started, 0.0, 0, str(error))
                fit = fit_of(task, outcome, Path(self._request.run_folder))
            done(fit)

    def _with_stops(self, task: FitTask) -> FitTask:
        """Say by which rows boosting stops: the same that it holds out where it is fitted here."""
        if task.candidate not in BOOSTED:
            return task
        learn = np.load(task.learn)
        _, held = parts(self._pool.take(learn), HELD, task.seed)
        path = task.scores.with_suffix(".stop.npy")
        np.save(path, learn[held])
        return task.model_copy(update={"stop": path})

    def _asked(self, task: FitTask) -> Fit:
        _, told, heard = self._started()
        try:
            told.write(f"{task.model_dump_json()}\n")
            told.flush()
        except BrokenPipeError:
            raise self._ended() from None
        for line in heard:
            if line.startswith("{"):  # what else Spark says is for the log
                return self._judged(task, Fit.model_validate_json(line))
        raise self._ended()

    def close(self) -> None:
        """End the service, which ends its session."""
        service, self._service = self._service, None
        if service is None:
            return
        process, told, heard = service
        with heard:
            told.close()
            try:
                process.wait(CLOSE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def __enter__(self) -> Self:
        """Nothing is started before the first task."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the service."""
        self.close()

    def _started(self) -> _Service:
        if self._service is None:
            path = Path(self._request.run_folder) / "spark_fits.json"
            path.write_text(self._request.model_dump_json(), encoding="utf-8")
            process = subprocess.Popen(
                [*self._command, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            if process.stdin is None or process.stdout is None:
                raise RuntimeError("a pipe was asked for, and there is none")
            self._service = process, process.stdin, process.stdout
        return self._service

    def _ended(self) -> FranklinError:
        service, self._service = self._service, None
        status = service[0].wait() if service else None
        return FranklinError(
            f"the service that fits in Spark has ended with status {status}; its last lines above say why, or say "
            "contest.engine=local"
        )

    def _judged(self, task: FitTask, fit: Fit) -> Fit:
        if fit.failure is not None:
            return fit
        scores = np.asarray(np.load(task.scores), np.float64)
        held = self._test if task.held is None else self._pool.take(np.load(task.held))
        try:
            check_scores(scores, held.columns, len(held))
            metrics = judged(held, scores)
        except FranklinError as error:
            return fit.model_copy(update={"failure": str(error)})
        if task.model is not None:
            brought = apart(partial(_bring, task, held.columns), Limits(task.memory_bytes, BRING_SECONDS))
            took = {"seconds": fit.seconds + brought.seconds}
            took["processor_seconds"] = fit.processor_seconds + brought.processor_seconds
            fit = fit.model_copy(update=took)
            if brought.failure is not None:
                failure = f"{brought.failure}, while what Spark had fitted was brought here"
                return fit.model_copy(update={"failure": failure})
        return fit.model_copy(
            update={"metrics": metrics, "scores": str(task.scores.relative_to(self._request.run_folder))}
        )


def _bring(task: FitTask, columns: Columns) -> None:
    from models.candidates.brought import bring  # with all libraries of candidates, which this process needs not

    if task.model is not None:
        bring(task.candidate, task.model, columns)
