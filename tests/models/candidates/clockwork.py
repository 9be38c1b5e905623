"""Contests whose fits take the seconds of a law: a clock that runs as fast as it is read."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from conf.contests import CandidateName, Contest
from conf.schema import Range
from conf.selecting import Fit, FitTask, Value
from models.candidates.apart import Outcome
from models.candidates.bench import Bench, Entry
from models.candidates.candidate import Candidate, Fitted, Space
from models.candidates.course import Course
from models.candidates.finals import finish
from models.candidates.fits import fit_of, judged
from models.candidates.folds import draw_folds
from models.candidates.rows import Columns, Rows
from models.candidates.schedule import climb, judge_all
from models.candidates.tuning import tune
from models.evaluation.metrics import RMSE
from tests.models.candidates.contests import CONTEST, made_rows

GENERATOR = np.random.default_rng(0)
LABEL = GENERATOR.normal(size=4000)
POOL = made_rows("regression", LABEL, np.zeros((4000, 1)))
NOISE = GENERATOR.normal(size=4000)


class Lawful(Candidate):
    """Takes `factor * rows ** exponent` seconds, and errs by `error * rows ** -0.3`, less `gain` with some settings."""

    family = "tree"
    tasks = frozenset({"regression"})

    def __init__(self, name: CandidateName, factor: float, *, exponent: float = 1.0, error: float = 1.0) -> None:
        """Take so long, and err so much."""
        self.name, self.title = name, name
        self.factor, self.exponent, self.error, self.gain, self.searched = factor, exponent, error, 0.0, False
        self.fewest, self.most = {}, {}  # rows that it needs, and that it has memory for, by phase
        self.dearer = 0.0  # times as slow with settings that are better
        self.suddenly = 1.0  # times as slow in folds and in the end

    def space(self, columns: Columns) -> Space:  # noqa: ARG002 -- the same for all
        """Give one setting, if it is searched."""
        return {"setting": Range(low=0, high=1)} if self.searched else {}

    def fit(self, rows: Rows, *, seed: int, values: Mapping[str, Value], threads: int) -> Fitted:
        """Be fitted by the clockwork alone."""
        raise NotImplementedError

    def load(self, folder: Path, columns: Columns) -> Fitted:
        """Keep nothing."""
        raise NotImplementedError


class Clockwork:
    """Fits that take the seconds of their law, no longer than they may."""

    at_once, slowest_start, same_start = 1, 1.0, True

    def __init__(self, candidates: list[Lawful], folder: Path) -> None:
        """Fit these candidates."""
        folder.mkdir(exist_ok=True)
        self._candidates, self._folder = {each.name: each for each in candidates}, folder
        self.tasks: list[FitTask] = []

    def do(self, tasks: Sequence[FitTask], done: Callable[[Fit], None]) -> None:
        """Answer at once, in the order asked."""
        for task in tasks:
            done(self._fit(task))

    def _fit(self, task: FitTask) -> Fit:
        self.tasks.append(task)
        candidate, rows = self._candidates[task.candidate], len(np.load(task.learn))
        seconds = candidate.factor * rows**candidate.exponent
        seconds *= candidate.suddenly if task.phase in ("fold", "final") else 1
        held = POOL if task.held is None else POOL.take(np.load(task.held))
        noise = NOISE if task.held is None else NOISE[np.load(task.held)]
        found = float(task.values.get("setting", 0.5))
        seconds *= 1 + candidate.dearer * max(0.0, found - 0.5)
        error = candidate.error * rows**-0.3 * (1 - candidate.gain * (found - 0.5))
        scores = held.label + error * noise
        overdue = seconds > task.timeout_seconds
        if not overdue:
            np.save(task.scores, scores)
        failure = f"it took longer than {task.timeout_seconds} seconds and was ended" if overdue else None
        if rows > candidate.most.get(task.phase, rows):
            failure = "it needs more memory than the 1 MiB that a fit may take"
        if rows < candidate.fewest.get(task.phase, rows):
            failure = "ValueError: too few rows"
        seconds = min(seconds, task.timeout_seconds)
        outcome = Outcome(None if failure else judged(held, scores), seconds, seconds, 0, failure)
        return fit_of(task, outcome, self._folder)


class Held:
    """A whole contest over such candidates."""

    def __init__(
        self,
        folder: Path,
        candidates: list[Lawful],
        pool: Rows = POOL,
        *,
        at_once: int = 1,
        whole: bool = True,
        starts: bool = False,
        **changes: Any,
    ) -> None:
        """Hold it, up to its sizes alone if not `whole`; with `starts`, fits have some of their own, as in Spark."""
        contest = Contest.model_validate(CONTEST | {"fit_seconds": 10_000} | changes)
        self.course = Course(contest, pool, draw_folds(pool, contest.folds, 0).folds, 0, len(candidates))
        self.entries = [Entry(each) for each in sorted(candidates, key=lambda each: each.simplicity)]
        self.clock, self.notes = Clockwork(candidates, folder), list[str]()
        self.clock.at_once = at_once
        if starts:
            self.clock.slowest_start, self.clock.same_start = 30.0, False
        self.bench = Bench(
            folder, {each.name: self.clock for each in candidates}, seed=0, metric=RMSE, memory_bytes=1, cores=1
        )

        self.by_name = {entry.name: entry for entry in self.entries}
        climb(self.bench, self.course, self.entries, self.notes)
        if not whole:
            return
        tune(self.bench, self.course, self.entries, self.notes)
        judge_all(self.bench, self.course, self.entries, self.notes)
        finish(self.bench, self.course, self.entries, self.notes, lambda entry: folder / "models" / entry.name)
