"""Engine `python -m models.candidates.contest REQUEST.json`: compare candidates, and leave findings and report.

This process computes in one thread, since children that are forked beside others hang; they do all that is heavy.
"""

import gc
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
import psutil
from threadpoolctl import threadpool_limits

from conf.errors import FranklinError
from conf.exchange import answer as write_answer
from conf.exchange import clean_up_on_sigterm, serve
from conf.manifest import Manifest, read_manifest
from conf.selecting import FINDINGS, ContestRequest, ContestResult, Findings, Segments, UnlabelledResult
from models.candidates import curves
from models.candidates.apart import Limits, apart
from models.candidates.assembling import assemble, complete
from models.candidates.bench import Bench, Entry
from models.candidates.candidate import Candidate
from models.candidates.course import Course
from models.candidates.engines import engine_for, entrants, everyone, opened
from models.candidates.ensemble import Ensemble
from models.candidates.evidence import Evidence
from models.candidates.finals import finish
from models.candidates.folds import Folds, draw_folds
from models.candidates.ladder import letters, recommend
from models.candidates.reading import columns_of, flattered, map_rows, read_rows
from models.candidates.rows import Rows
from models.candidates.schedule import climb, judge_all
from models.candidates.standings import compared, scale_of, standing
from models.candidates.tuning import tune
from models.evaluation.metrics import Ints, main_metric

REPORT_SECONDS = 300.0


def contest(request: ContestRequest, every: Sequence[Candidate] | None = None) -> ContestResult:
    """Hold the contest, or go on with the one whose journal is in `run_folder`.

    Args:
        request: what is compared, and how.
        every: who may take part; None: all that there are.

    Raises:
        FranklinError: the rows allow none, or no candidate has got through.

    """
    started, manifest = time.monotonic(), read_manifest(request.feature_set)
    notes = [*request.notes, *flattered(manifest)]
    columns = columns_of(manifest)
    engine = engine_for(request.contest, manifest, columns)
    read = partial(map_rows, aside=request.run_folder) if engine == "spark" else read_rows
    pool = read(request.feature_set, manifest, ("train", "validation"))
    test = read(request.feature_set, manifest, ("test",))
    folds = _usable(pool, test, draw_folds(pool, request.contest.folds, request.seed), manifest, notes)
    candidates = entrants(request.contest, everyone(request) if every is None else every, columns, notes)
    for module in {module for each in candidates for module in each.imports}:
        import_module(module)  # takes seconds, and each fit would pay them
    together = any(isinstance(each, Ensemble) for each in candidates)
    candidates = [each for each in candidates if not isinstance(each, Ensemble)]
    entries = [Entry(each) for each in candidates]
    course = Course(request.contest, pool, folds.folds, request.seed, len(entries))
    gc.freeze()
    with opened(request, engine, pool, test, {each.name: each for each in candidates}) as fits:
        bench = Bench(
            request.run_folder,
            fits,
            seed=request.seed,
            metric=main_metric(manifest.task),
            memory_bytes=request.contest.memory_bytes,
            cores=request.cores,
        )
        evidence = Evidence(request, manifest, course, bench, test, notes)
        _run(bench, course, entries, evidence)
        if together:
            entries += _assembled(bench, course, entries, evidence)
    findings = _findings(request, manifest, folds, entries, evidence).model_copy(
        update={"engine": engine, "seconds": time.monotonic() - started}
    )
    path = request.run_folder / FINDINGS
    write_answer(path, findings.model_dump(mode="json"))
    report = apart(partial(_report, path, findings.segments), Limits(request.contest.memory_bytes, REPORT_SECONDS))
    if report.failure is not None:
        raise RuntimeError(f"the report of {path} could not be written: {report.failure}")
    return ContestResult(findings=path, report=Path(report.value))


def _report(findings: Path, segments: Sequence[Segments]) -> str:
    from models.candidates.report import write
    from models.unlabelled.drawing import draw  # with what draws, which one process needs

    for each in segments:
        draw(each, findings.parent)
    return str(write(findings))


def _run(bench: Bench, course: Course, entries: list[Entry], evidence: Evidence) -> None:
    notes = evidence.notes
    bench.expected = len(entries) * (len(course.sizes()) + len(course.folds) + 1 + course.contest.trials // 2)

    climb(bench, course, entries, notes)
    tune(bench, course, entries, notes)
    judge_all(bench, course, entries, notes)
    finish(bench, course, entries, notes, evidence.folder)


def _assembled(bench: Bench, course: Course, entries: Sequence[Entry], evidence: Evidence) -> list[Entry]:
    request, notes = evidence.request, evidence.notes
    entry = assemble(bench, course, entries, notes, seed=request.seed, cores=request.cores)
    if entry is None:
        return []
    complete(bench, course, entry, notes, test=evidence.test, folder=evidence.folder)
    return [entry]


def _findings(
    request: ContestRequest, manifest: Manifest, folds: Folds, entries: list[Entry], evidence: Evidence
) -> Findings:
    metric, where = evidence.bench.metric, evidence.course.pool.columns.where
    scale = scale_of(metric, folds.folds, where)
    standings = evidence.standings(
        entries,
        compared([standing(entry, evidence.bench, scale, len(evidence.course.pool)) for entry in entries], scale),
    )
    recommendation = recommend(standings, scale, request.contest.limits)
    looked = request.looked or UnlabelledResult(segments=[], rules=[], sets=[], notes=[])
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB"
    return Findings(
        experiment=request.experiment,
        said=request.said,
        task=manifest.task,
        metric=metric.name,
        title=metric.title,
        higher_is_better=metric.higher_is_better,
        rows={name: split.rows for name, split in manifest.splits.items()},
        columns=len(manifest.columns),
        seed=request.seed,
        contest=request.contest,
        engine="local",
        folds_by=folds.by,
        intervals_by=evidence.intervals_by(),
        seconds=0.0,
        standings=standings,
        recommendation=recommendation,
        moves=curves.moves(standings, higher_is_better=metric.higher_is_better),
        assumptions=evidence.assumptions(entries),
        explanations=evidence.explanations(entries),
        segments=looked.segments,
        rules=looked.rules,
        sets=looked.sets,
        notes=[*looked.notes, *evidence.notes],
        labels=letters(standings, str(request.run_folder)) if request.contest.blind else {},
        choice=None,
        machine=machine,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _usable(pool: Rows, test: Rows, folds: Folds, manifest: Manifest, notes: list[str]) -> Folds:
    """Leave out folds in which the main metric is not defined or nothing can be learned, for all candidates.

    Raises:
        FranklinError: then there is none.

    """
    name, classes = manifest.label.name, pool.columns.classes
    if not len(test):
        raise FranklinError(f"{manifest.name} has no test rows, on which the final fits are judged; change data.split")
    if len(pool) <= 1:
        raise FranklinError(
            f"{manifest.name} has {len(pool)} rows of train and validation; a contest takes two at least"
        )
    if classes and len(np.unique(pool.label)) == 1:
        only = classes[int(pool.label[0])]
        raise FranklinError(
            f"label {name} has the class {only} alone in train and validation; there is nothing to tell apart"
        )
    kept = [fold for fold in folds.folds if not classes or _tells_apart(pool, fold.learn, fold.held)]
    notes.extend(folds.notes)
    if len(kept) < len(folds.folds):
        notes.append(f"{len(folds.folds) - len(kept)} folds lack a class of {name} and were left out")
    if not kept:
        raise FranklinError(
            f"no fold has two classes of {name} on both sides; say fewer contest.folds, or bring more rows"
        )
    if len(kept) == 1:
        notes.append("there is one fold, which says nothing of noise, so the simplest candidate is recommended")
    return replace(folds, folds=tuple(kept))


def _tells_apart(pool: Rows, learn: Ints, held: Ints) -> bool:
    both = len(np.unique(pool.label[learn])) > 1
    return both and (pool.columns.task != "binary" or len(np.unique(pool.label[held])) > 1)


def main() -> None:
    """Serve one request."""
    clean_up_on_sigterm()
    os.environ["OMP_NUM_THREADS"] = "1"  # of what is imported from here on; children set their own
    with threadpool_limits(1):
        serve(ContestRequest, contest)


if __name__ == "__main__":
    main()
