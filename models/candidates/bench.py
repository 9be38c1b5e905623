"""Where fits are asked for: each is done once, with limits, and is in the journal."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np

from conf.contests import CandidateName
from conf.exchange import progress
from conf.selecting import JOURNAL, Fit, FitTask, Phase, Values
from models.candidates.budget import QUICKEST, makespan, patience, seconds_at
from models.candidates.candidate import Candidate
from models.candidates.fits import Fits
from models.candidates.journal import Journal, Key, key_of, key_of_task
from models.evaluation.metrics import Floats, Ints, Metric

FITS = "fits"  # in the run folder: rows and scores
OWN_START = 0.9  # of a candidate's quickest fit, where starts are not the same for all: the rest grows with rows
FEW_ROWS = 5_000  # below them a second thread costs more than it brings


class Taken(NamedTuple):
    """What a fit has taken.

    Attributes:
        rows: that it learned from.
        seconds: from its process's beginning to its end.
        settings: which it had, as a word.

    """

    rows: int
    seconds: float
    settings: str


@dataclass
class Entry:
    """How far a candidate is.

    Attributes:
        candidate: it.
        values: settings that it goes on with; {}: its own.
        curve: fits with its own settings on each size, by rows.
        folds: fits of the folds, in order.
        final: the fit that is judged on test.
        share: of the rows of each fold, that time was for.
        failure: why it fell out.
        seen: what its fits that have succeeded have taken.
        spent: seconds of the clock that its fits have taken; those that ran side by side have shared it.
        members: of an ensemble, with their weights, of sum 1.

    """

    candidate: Candidate
    values: Values = field(default_factory=dict)
    curve: dict[int, Fit] = field(default_factory=dict)
    folds: list[Fit] = field(default_factory=list)
    final: Fit | None = None
    share: float = 1.0
    failure: str | None = None
    seen: list[Taken] = field(default_factory=list)
    spent: float = 0.0
    members: list[tuple["Entry", float]] = field(default_factory=list)

    @property
    def name(self) -> CandidateName:
        """Its name."""
        return self.candidate.name


@dataclass(frozen=True)
class Wanted:
    """A fit that is asked for.

    Attributes:
        entry: the candidate.
        phase: what it is for.
        fold: number of the fold, -1 in the end.
        learn: rows of the pool to learn from.
        held: those to be judged by; None: test.
        values: settings.
        seconds: that it may take.
        model: folder to save into; None: nothing is saved.

    """

    entry: Entry
    phase: Phase
    fold: int
    learn: Ints
    held: Ints | None
    values: Values
    seconds: float
    model: Path | None = None


class Bench:
    """Has fits done, by whoever does those of a candidate, unless the journal has them already.

    Attributes:
        spent: seconds of the clock that fits have taken.
        expected: fits in all, for whoever watches.

    """

    def __init__(
        self,
        run_folder: Path,
        fits: Mapping[CandidateName, Fits],
        *,
        seed: int,
        metric: Metric,
        memory_bytes: int,
        cores: int,
    ) -> None:
        """Begin, or go on with the journal in `run_folder`."""
        self.run_folder, self._fits, self.metric = run_folder, fits, metric
        self._seed, self._memory_bytes, self._cores = seed, memory_bytes, cores
        self._journal = Journal(run_folder / JOURNAL)
        self.spent, self._done, self.expected = 0.0, 0, 0
        self._quickest = dict.fromkeys(fits.values(), float("inf"))  # fit of each
        self._counted = set[Key]()

    def do(self, wanted: Sequence[Wanted]) -> list[Fit]:
        """Have candidates fitted on rows of the pool, and judged on others, or find that they were.

        What it took counts in `spent`, once, of fits that a former try has left as well: so a retried contest decides
        as the first did.

        Returns:
            Fits in the order of `wanted`.

        """
        tasks = [self._task(each) for each in wanted]
        found: dict[Key, Fit] = {}
        anew = set[Key]()
        for fits in dict.fromkeys(self._fits[each.entry.name] for each in wanted):
            absent = []
            for each, task in zip(wanted, tasks, strict=True):
                if self._fits[each.entry.name] is not fits:
                    continue
                fit = self._journal.find(task, len(each.learn))
                if fit is None or (fit.scores and not (self.run_folder / fit.scores).exists()):
                    if each.model is not None:
                        shutil.rmtree(each.model, ignore_errors=True)  # of a try that was interrupted
                    if task not in absent:
                        absent.append(task)
                else:
                    self._tell(fit)
                    found[key_of(fit)] = fit

            def done(fit: Fit) -> None:
                self._journal.add(fit)
                self._tell(fit)
                found[key_of(fit)] = fit
                anew.add(key_of(fit))

            if absent:
                fits.do(absent, done)
        keys = [key_of_task(task, len(each.learn)) for each, task in zip(wanted, tasks, strict=True)]
        counted = self._counted - anew  # what ended from outside is done, and takes time, twice
        asked = {key: each.entry for key, each in zip(keys, wanted, strict=True) if key not in counted}
        self._account(list(asked.values()), [found[key] for key in asked])
        self._counted |= asked.keys()
        return [found[key] for key in keys]

    def _task(self, wanted: Wanted) -> FitTask:
        folder = self.run_folder / FITS
        folder.mkdir(parents=True, exist_ok=True)
        name, learn = wanted.entry.name, wanted.learn
        stem = "-".join([name, wanted.phase, str(wanted.fold), str(len(learn)), _digest(wanted.values)])
        threads = self._cores if wanted.entry.candidate.alone else max(1, self._cores // self._fits[name].at_once)
        return FitTask(
            candidate=name,
            phase=wanted.phase,
            fold=wanted.fold,
            seed=self._seed,
            values=wanted.values,
            learn=_rows_file(folder, learn),
            held=None if wanted.held is None else _rows_file(folder, wanted.held),
            scores=folder / f"{stem}.npy",
            model=wanted.model,
            memory_bytes=self._memory_bytes,
            timeout_seconds=wanted.seconds,
            threads=1 if len(learn) < FEW_ROWS else threads,
        )

    def _tell(self, fit: Fit) -> None:
        self._done += 1
        progress(self._done, max(self._done, self.expected), "fits", fit.candidate)

    def _account(self, entries: Sequence[Entry], found: Sequence[Fit]) -> None:
        beside: dict[tuple[Fits, int], list[float]] = {}
        for entry, fit in zip(entries, found, strict=True):
            beside.setdefault((self._fits[entry.name], self.at_once(entry)), []).append(fit.seconds)
        for entry, fit in zip(entries, found, strict=True):
            fits, at_once = self._fits[entry.name], self.at_once(entry)
            seconds = beside[fits, at_once]
            clock = fit.seconds * makespan(seconds, at_once) / max(QUICKEST, sum(seconds))
            self.spent += clock
            entry.spent += clock
            if fit.failure is None:
                entry.seen.append(Taken(fit.rows, fit.seconds, _digest(fit.values)))
                self._quickest[fits] = min(self._quickest[fits], fit.seconds)

    def at_once(self, entry: Entry) -> int:
        """How many fits share the clock with one of a candidate."""
        return 1 if entry.candidate.alone else self._fits[entry.name].at_once

    def slow_to_start(self, entry: Entry) -> bool:
        """Whether its fits have a start of their own, which may be most of what they take."""
        return not self._fits[entry.name].same_start

    def seconds(self, entry: Entry, rows: int) -> float:
        """Predict what a fit of a candidate that has been fitted takes, by fits with the settings that it has now."""
        own = [each for each in entry.seen if each.settings == _digest(entry.values)] or entry.seen
        work, fits = entry.candidate.work, self._fits[entry.name]
        quickest = self._quickest[fits] if fits.same_start else OWN_START * min(each.seconds for each in own)
        start = min(fits.slowest_start, quickest)
        return seconds_at(work(rows), [(work(each.rows), each.seconds) for each in own], start)

    def clock(self, entry: Entry, rows: int) -> float:
        """Predict its part of the clock, if as many run beside it as may."""
        return self.seconds(entry, rows) / self.at_once(entry)

    def patience(self, entry: Entry, rows: int, most: float) -> float:
        """Seconds after which a fit is ended, `most` at most: far beyond its prediction it is at the cost of others."""
        return patience(self.seconds(entry, rows), most)

    def processor_seconds(self, entry: Entry, rows: int) -> float | None:
        """Predict the processor-seconds of a fit as it was fitted on other rows; None: no fit has succeeded.

        Those of an ensemble are its members'.
        """
        if entry.members:
            each_takes = [self.processor_seconds(each, rows) for each, _ in entry.members]
            return sum(each or 0.0 for each in each_takes)
        done = [fit for fit in self.fits if fit.candidate == entry.name and fit.failure is None]
        own = [fit for fit in done if fit.values == entry.values] or done
        work = entry.candidate.work
        seen = [(work(fit.rows), fit.processor_seconds) for fit in own if fit.phase != "trial"]
        return seconds_at(work(rows), seen) if seen else None

    @property
    def fits(self) -> list[Fit]:
        """All that were done, in order."""
        return list(self._journal)

    def value(self, fit: Fit) -> float | None:
        """The main metric of a fit; None: it failed, or its held-out rows do not define it."""
        return fit.metrics.get(self.metric.name)

    def scores(self, fit: Fit) -> Floats:
        """Scores of a fit's held-out rows."""
        found: Floats = np.load(self.run_folder / str(fit.scores))
        return found

    def better(self, value: float, than: float) -> bool:
        """Whether a value of the main metric is better."""
        return value > than if self.metric.higher_is_better else value < than


def _rows_file(folder: Path, rows: Ints) -> Path:
    """Keep numbers of rows in a file that is named by them."""
    path = folder / f"rows-{sha256(rows.tobytes()).hexdigest()[:16]}.npy"
    if not path.exists():
        unfinished = path.with_suffix(".part.npy")
        np.save(unfinished, rows)
        unfinished.replace(path)
    return path


def _digest(values: Values) -> str:
    return sha256(repr(sorted(values.items())).encode()).hexdigest()[:8] if values else "own"
