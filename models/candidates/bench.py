"""Where fits are asked for: each is done once, with limits, and is in the journal."""

import shutil
import time
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np

from conf.contests import CandidateName
from conf.errors import FranklinError
from conf.exchange import progress
from conf.selecting import JOURNAL, Fit, FitTask, Phase, Values
from models.candidates.apart import Outcome
from models.candidates.budget import seconds_at
from models.candidates.candidate import Candidate
from models.candidates.fits import Fits, fit_of
from models.candidates.journal import Journal
from models.evaluation.metrics import Floats, Ints, Metric

SLOWEST_START = 1.0  # seconds
FEW_ROWS = 5_000  # below them a second thread costs more than it brings


@dataclass
class Entry:
    """How far a candidate is.

    Attributes:
        candidate: it.
        values: settings that it goes on with; {}: its own.
        curve: fits with its own settings on each size, by rows.
        folds: fits of the folds, in order.
        final: the fit that is judged on test.
        share: of the rows of each fold and of the pool, that time was for.
        failure: why it fell out.

    """

    candidate: Candidate
    values: Values = field(default_factory=dict)
    curve: dict[int, Fit] = field(default_factory=dict)
    folds: list[Fit] = field(default_factory=list)
    final: Fit | None = None
    share: float = 1.0
    failure: str | None = None
    seen: list[tuple[int, float]] = field(default_factory=list)

    @property
    def name(self) -> CandidateName:
        """Its name."""
        return self.candidate.name


class Bench:
    """Has fits done, by whoever does those of a candidate, unless the journal has them already."""

    def __init__(
        self,
        run_folder: Path,
        fits: dict[CandidateName, Fits],
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
        self._start = SLOWEST_START  # or what the quickest fit has taken, which is its process's and not its own

    def fit(
        self,
        entry: Entry,
        phase: Phase,
        fold: int,
        learn: Ints,
        held: Ints | None,
        *,
        values: Values,
        seconds: float,
        model: Path | None = None,
    ) -> Fit:
        """Have a candidate fitted on rows of the pool, and judged on others (None: on test), or find that it was.

        What it took counts in `spent`, of a fit that was found as well: so a retried contest decides as the first did.
        """
        self._done += 1
        progress(self._done, max(self._done, self.expected), "fits", entry.name)
        folder = self.run_folder / "fits"
        folder.mkdir(parents=True, exist_ok=True)
        stem = "-".join([entry.name, phase, str(fold), str(len(learn)), _digest(values)])
        task = FitTask(
            candidate=entry.name,
            phase=phase,
            fold=fold,
            seed=self._seed,
            values=values,
            learn=_rows_file(folder, learn),
            held=None if held is None else _rows_file(folder, held),
            scores=folder / f"{stem}.npy",
            model=model,
            memory_bytes=self._memory_bytes,
            timeout_seconds=seconds,
            threads=1 if len(learn) < FEW_ROWS else self._cores,
        )
        found = self._journal.find(task, len(learn))
        if found is None or (found.scores and not (self.run_folder / found.scores).exists()):
            if model is not None:
                shutil.rmtree(model, ignore_errors=True)  # of a try that was interrupted
            found = self._do(task)
            self._journal.add(found)
        self.spent += found.seconds
        if found.failure is None:
            entry.seen.append((found.rows, found.seconds))
            self._start = min(self._start, found.seconds)
        return found

    def _do(self, task: FitTask) -> Fit:
        started = time.monotonic()
        try:
            return self._fits[task.candidate].do(task)
        except FranklinError as error:  # such as a service that a candidate has brought down: the others go on
            outcome = Outcome(None, time.monotonic() - started, 0.0, 0, str(error))
            return fit_of(task, outcome, self.run_folder)

    def seconds(self, entry: Entry, rows: int) -> float:
        """Predict what a fit of a candidate that has been fitted takes."""
        work = entry.candidate.work
        return seconds_at(work(rows), [(work(seen), seconds) for seen, seconds in entry.seen], self._start)

    def processor_seconds(self, entry: Entry, rows: int) -> float | None:
        """Predict the processor-seconds of a fit as it was fitted on other rows; None: no fit has succeeded."""
        done = [fit for fit in self.fits if fit.candidate == entry.name and fit.failure is None]
        work = entry.candidate.work
        seen = [(work(fit.rows), fit.processor_seconds) for fit in done if fit.phase != "trial"]
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
