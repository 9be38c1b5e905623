"""What is shown of each candidate beside its fits: each in a process of its own, since it is heavy arithmetic."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic_core import to_jsonable_python

from conf.contests import CandidateName
from conf.manifest import Manifest
from conf.selecting import ContestRequest, Explanation, Finding, Fit, Latency, Standing
from models.candidates import calendar, costs, curves
from models.candidates.apart import Limits, apart, together
from models.candidates.bench import Bench, Entry
from models.candidates.candidate import Fitted
from models.candidates.course import Course
from models.candidates.latency import latency, too_few
from models.candidates.rows import Rows
from models.evaluation.bootstrap import drawable, drawn, estimates
from models.evaluation.metrics import Ints, judge

MODELS = "models"
SECONDS = 300.0  # that one candidate's evidence may take
EXPLAINED = 0.1  # of the budget, beside it, for importances


@dataclass(frozen=True)
class Evidence:
    """Looks at what a contest has fitted.

    Attributes:
        request: of the contest.
        manifest: of the feature set.
        course: what was gone over.
        bench: that has the fits.
        test: rows of test.
        notes: gets what could not be looked at.

    """

    request: ContestRequest
    manifest: Manifest
    course: Course
    bench: Bench
    test: Rows
    notes: list[str]

    def standings(self, entries: Sequence[Entry], standings: Sequence[Standing]) -> list[Standing]:
        """Add to each what its model and its scores show: size, latency, test metrics, curve, periods, threshold."""
        sized = [
            each.model_copy(update={"size_bytes": _bytes(self.folder(entry))} if entry.final else {})
            for entry, each in zip(entries, standings, strict=True)
        ]
        quick = self._each("latency", entries, self._latency, at_once=1)  # a quiet machine
        self._note_slow(quick)
        shown = self._each(
            "evidence",
            entries,
            lambda entry: entry.final and self._shown(entry, entry.final),
            at_once=self.request.cores,
        )
        return [
            Standing.model_validate(
                each.model_dump() | shown.get(each.candidate, {}) | {"latency": quick.get(each.candidate)}
            )
            for each in sized
        ]

    def explanations(self, entries: Sequence[Entry]) -> list[Explanation]:
        """Why each says what it says, on the same rows of test."""
        from models.candidates import explain

        count = sum(1 for entry in entries if entry.final)
        each = EXPLAINED * self.request.contest.budget_seconds * self.request.cores / max(1, count)

        def explained(entry: Entry) -> Any:
            found = explain.explain(
                self._loaded(entry),
                entry.name,
                self.test,
                seed=self.request.seed,
                manifest=self.manifest,
                seconds=min(explain.SECONDS, each),
            )
            return found.model_dump(mode="json")

        found = self._each("explanation", entries, explained, at_once=self.request.cores)
        return [Explanation.model_validate(each) for each in found.values()]

    def assumptions(self, entries: Sequence[Entry]) -> list[Finding]:
        """What of the rows and of what candidates said of the held-out ones speaks for or against assumptions."""
        families = {entry.name: entry.candidate.family for entry in entries}
        places = self._places

        def looked_at() -> Any:
            from models.candidates.assumptions import Held, look  # with what draws figures, which one process needs

            held = {
                entry.name: Held(
                    self.course.pool.label[places],
                    np.concatenate([self.bench.scores(fit) for fit in entry.folds]),
                    places,
                )
                for entry in entries
                if entry.failure is None
            }
            found = look(
                self.course.pool,
                self.test,
                held,
                families,
                self.bench.fits,
                self.request.run_folder,
                self.request.seed,
            )
            return to_jsonable_python(found)

        outcome = apart(looked_at, Limits(self.request.contest.memory_bytes, SECONDS))
        if outcome.failure is not None:
            self.notes.append(f"assumptions were not looked at: {outcome.failure}")
        return [Finding.model_validate(each) for each in outcome.value or []]

    def intervals_by(self) -> str:
        """Say what resamples of test rows are made of; what is too few to be drawn is a note."""
        where, kind = self.course.pool.where, self.course.pool.columns.where
        said = drawn(self.test.where, kind)
        if self.test.where is not None and drawable(self.test.where) is None:
            self.notes.append(f"intervals on test draw {said}")
        held = None if where is None or self.request.contest.costs is None else where[self._places]
        if held is not None and drawable(held) is None:
            self.notes.append(f"intervals of the cheapest threshold draw {drawn(held, kind)}")
        return said

    def folder(self, entry: Entry) -> Path:
        """Where a candidate's final model is."""
        return self.request.run_folder / MODELS / entry.name

    @property
    def _places(self) -> Ints:
        """Numbers of the rows that folds are judged by, fold after fold."""
        return np.concatenate([fold.held for fold in self.course.folds])

    def _each(
        self, what: str, entries: Sequence[Entry], show: Callable[[Entry], Any], *, at_once: int
    ) -> dict[CandidateName, Any]:
        """What `show` gives for each that has a final fit; what fails is a note."""
        there = [entry for entry in entries if entry.final]
        works = [lambda entry=entry: show(entry) for entry in there]
        found = {}
        for entry, outcome in zip(
            there, together(works, Limits(self.request.contest.memory_bytes, SECONDS), at_once), strict=True
        ):
            if outcome.failure is None:
                found[entry.name] = outcome.value
            else:
                self.notes.append(f"{entry.name}: no {what}: {outcome.failure}")
        return found

    def _loaded(self, entry: Entry) -> Fitted:
        return entry.candidate.load(self.folder(entry), self.test.columns)

    def _latency(self, entry: Entry) -> Any:
        return latency(self._loaded(entry), self.test).model_dump(mode="json")

    def _note_slow(self, quick: Mapping[CandidateName, Any]) -> None:
        """Say whose predictions were too few for a 99th percentile."""
        for name, found in quick.items():
            if why := too_few(Latency.model_validate(found)):
                self.notes.append(f"{name}: no p99 latency: {why}")

    def _shown(self, entry: Entry, final: Fit) -> Any:
        task, seed, bootstrap = self.manifest.task, self.request.seed, self.request.bootstrap
        test, metric, priced = self.test, self.bench.metric, self.request.contest.costs
        scores = self.bench.scores(final)
        found: dict[str, Any] = {
            "test": estimates(
                judge(task, scores, test.label), len(test), bootstrap, seed, clusters=drawable(test.where)
            ),
            "periods": calendar.periods(
                task,
                scores,
                test.label,
                where=test.where,
                columns_where=test.columns.where,
                bootstrap=bootstrap,
                seed=seed,
            ),
            "curve": curves.curve(*points(self.bench, entry), higher_is_better=metric.higher_is_better),
        }
        if priced is not None and task == "binary":
            held_scores = np.concatenate([self.bench.scores(fit) for fit in entry.folds])
            pool, places = self.course.pool, self._places
            found["threshold"] = costs.threshold(
                priced,
                held_scores,
                pool.label[places],
                scores,
                test.label,
                held_clusters=drawable(None if pool.where is None else pool.where[places]),
                test_clusters=drawable(test.where),
                bootstrap=bootstrap,
                seed=seed,
            )
        return to_jsonable_python(found)


def points(bench: Bench, entry: Entry) -> tuple[list[int], list[float]]:
    """Rows and values of a curve: sizes below the last fold's, and that one, if its own settings were used there.

    With settings that were tried and taken, the last point would show what they bring as if more rows did. Members of
    an ensemble may have had different rows in that fold, so it has sizes alone.
    """
    last = [] if entry.members else [fit for fit in entry.folds[-1:] if not fit.values]
    fits = [*entry.curve.values(), *last]
    found = {fit.rows: value for fit in fits if (value := bench.value(fit)) is not None}
    return list(found), list(found.values())


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
