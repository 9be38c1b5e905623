"""The last rung: an ensemble of what was fitted anyway (`docs/adr/0021-ensemble.md`).

All arithmetic is done in forked processes, as that of candidates is.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from conf.selecting import Fit, Phase, Values
from models.candidates.apart import Limits, apart, together
from models.candidates.bench import FITS, Bench, Entry
from models.candidates.course import Course
from models.candidates.ensemble import Ensemble, write_weights
from models.candidates.finals import best_first
from models.candidates.fits import judged
from models.candidates.rows import Rows
from models.candidates.weighing import Said, blend, weigh
from models.evaluation.metrics import Floats

MOST_MEMBERS = 10
IN_STEP = 0.5  # of the growth of the best one's rows, from folds to the final fit
SECONDS = 300.0  # that weights may take
NONE = "ensemble: there is none, since"


def assemble(
    bench: Bench, course: Course, entries: Sequence[Entry], notes: list[str], *, seed: int, cores: int
) -> Entry | None:
    """Weigh the best candidates on all folds, and judge each fold with weights that the others have chosen.

    Args:
        bench: that has the fits.
        course: whose folds they are of.
        entries: all candidates, with their final fits.
        notes: gets why there is no ensemble.
        seed: of the rows that are looked at.
        cores: processes at a time.

    Returns:
        The ensemble with its folds and its curve; None: nobody is better together.

    """
    there = [each for each in best_first(bench, entries) if each.candidate.family != "baseline"][:MOST_MEMBERS]
    members = in_step(there)
    if len(members) < len(there):
        without = ", ".join(each.name for each in there if each not in members)
        notes.append(f"ensemble: without {without}: the best one's rows grew far more from folds to the final fit")
    weighing = _Weighing(bench, course, members, seed)
    count = len(course.folds)
    if len(weighing.members) <= 1 or count == 1:
        few = "one fold can't both choose weights and judge them" if count == 1 else "it takes two candidates"
        notes.append(f"{NONE} {few}")
        return None
    works: list[Callable[[], Any]] = [weighing.choose, *(partial(weighing.judge, place) for place in range(count))]
    whole, *folds = together(works, Limits(course.contest.memory_bytes, SECONDS), cores)
    if failure := next((each.failure for each in (whole, *folds) if each.failure), None):
        notes.append(f"{NONE} no weights were found: {failure}")
        return None
    chosen = list(zip(weighing.members, whole.value["weights"], strict=True))
    entry = Entry(Ensemble(), members=[(each, weight) for each, weight in chosen if weight])
    if len(entry.members) == 1:
        notes.append(f"{NONE} {entry.members[0][0].name} alone is as good as any mean of several")
        return None
    entry.share = sum(weight * each.share for each, weight in entry.members)
    entry.folds = [
        _fit("fold", place, [(each.folds[place], weight) for each, weight in entry.members], fold.value)
        for place, fold in enumerate(folds)
    ]
    for rows, found in whole.value["curve"]:
        fits = [(each.curve[rows], weight) for each, weight in entry.members]
        entry.curve[rows] = _fit("size", count - 1, fits, found)
    return entry


def in_step(best: Sequence[Entry]) -> list[Entry]:
    """Those whose rows grew from folds to the final fit at least `IN_STEP` times as much as those of the first.

    Weights are of what folds had: whoever stays behind after them is no longer worth its weight.
    """
    grown = [each.final.rows / each.folds[-1].rows if each.final else 0.0 for each in best]
    return [each for each, growth in zip(best, grown, strict=True) if growth and growth >= IN_STEP * grown[0]]


def complete(
    bench: Bench, course: Course, entry: Entry, notes: list[str], *, test: Rows, folder: Callable[[Entry], Path]
) -> None:
    """Judge the members' final fits together on test, and lay them together in the ensemble's `folder`."""
    finals = [(each.final, weight) for each, weight in entry.members if each.final]  # who had none fell out

    def judge() -> Any:
        scores = np.stack([bench.scores(fit) for fit, _ in finals])
        return _kept(bench, "final", test, blend(scores, np.array([weight for _, weight in finals])))

    outcome = apart(judge, Limits(course.contest.memory_bytes, SECONDS))
    if outcome.failure is not None:
        entry.failure = f"it was not judged on test: {outcome.failure}"
        notes.append(f"{entry.name} fell out: {entry.failure}")
        return
    entry.final = _fit("final", -1, finals, outcome.value)
    place = folder(entry)
    shutil.rmtree(place, ignore_errors=True)  # of a contest that is held again
    for each, _ in entry.members:
        shutil.copytree(folder(each), place / each.name, copy_function=os.link)
    write_weights(place, {each.name: weight for each, weight in entry.members})


@dataclass(frozen=True)
class _Weighing:
    """What is to be done apart: each returns what JSON can say."""

    bench: Bench
    course: Course
    members: Sequence[Entry]
    seed: int

    def judge(self, place: int) -> Any:
        """Choose on the other folds, and judge this one."""
        others = [self._said(other) for other in range(len(self.course.folds)) if other != place]
        said = self._said(place)
        held = self.course.pool.bare().take(self.course.folds[place].held)
        return _kept(self.bench, f"fold-{place}", held, blend(said.scores, self._weigh(others)))

    def choose(self) -> Any:
        """Choose on all folds, and judge each size that all who were chosen have a fit of."""
        weights = self._weigh([self._said(place) for place in range(len(self.course.folds))])
        chosen = [each for each, weight in zip(self.members, weights, strict=True) if weight]
        held, curve = self.course.pool.bare().take(self.course.folds[-1].held), []
        for rows in sorted(set[int].intersection(*(set(each.curve) for each in chosen))):
            scores = np.stack([self.bench.scores(each.curve[rows]) for each in chosen])
            curve.append((rows, _kept(self.bench, f"size-{rows}", held, blend(scores, weights[weights > 0]))))
        return {"weights": list(weights), "curve": curve}

    def _weigh(self, folds: Sequence[Said]) -> Floats:
        return weigh(self.course.pool.columns.task, folds, self.seed)

    def _said(self, place: int) -> Said:
        scores = np.stack([self.bench.scores(each.folds[place]) for each in self.members])
        return Said(scores, self.course.pool.label[self.course.folds[place].held])


def _kept(bench: Bench, stem: str, held: Rows, scores: Floats) -> dict[str, Any]:
    """Keep scores; returns their file in the run folder, and metrics."""
    path = bench.run_folder / FITS / f"ensemble-{stem}.npy"
    np.save(path, scores)
    return {"scores": str(path.relative_to(bench.run_folder)), "metrics": judged(held, scores)}


def _fit(phase: Phase, fold: int, weighted: Sequence[tuple[Fit, float]], found: dict[str, Any]) -> Fit:
    """What the members' fits are together: they can be done one after the other, and rows are a weighted mean."""
    fits = [fit for fit, _ in weighted]
    values: Values = {f"{fit.candidate}.{key}": value for fit in fits for key, value in fit.values.items()}
    return Fit(
        candidate="ensemble",
        phase=phase,
        fold=fold,
        rows=round(sum(weight * fit.rows for fit, weight in weighted)),
        values=values,
        seconds=sum(fit.seconds for fit in fits),
        processor_seconds=sum(fit.processor_seconds for fit in fits),
        peak_memory_bytes=max(fit.peak_memory_bytes for fit in fits),
        **found,
    )
