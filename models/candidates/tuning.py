"""Trying settings beside a candidate's own ones, and taking them only where they are better beyond noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

import numpy as np
import optuna
from optuna.samplers import TPESampler

from conf.schema import Choices, Range
from conf.selecting import Fit, Values
from models.candidates.apart import Limits, apart
from models.candidates.bench import Bench, Entry
from models.candidates.budget import MARGIN, patience
from models.candidates.folds import halves
from models.candidates.schedule import TRIALS, Course, better_half
from models.evaluation.bootstrap import difference
from models.evaluation.metrics import Floats, Ints, judge
from models.search.space import decode, distribution

RESAMPLES = 200
NORMAL = 3.92  # width of a 95 % interval in standard errors
ASIDE = Limits(memory_bytes=2**31, seconds=600)


@dataclass
class _Search:
    """A candidate's search: on which rows, and what was tried there (own settings first)."""

    entry: Entry
    space: Mapping[str, Range | Choices]
    learn: Ints
    study: optuna.Study
    tried: list[tuple[Fit, float | None]] = field(default_factory=list)


def tune(bench: Bench, course: Course, entries: Sequence[Entry], notes: list[str]) -> None:
    """Give the better half of the candidates trials, and the better half of those twice as many.

    Who has trials draws settings by TPE (Bergstra et al. 2011) on the largest size whose trials its equal share of the
    time pays for, and never below the second size. They are chosen by one half of the held-out rows (whole days or
    groups) and confirmed on the other, fitted on the largest size that the candidate has seen: settings are taken if
    they are better than its own there by more than one standard error of the paired difference (bootstrap).
    """
    searching = _contenders(bench, course, entries)
    if course.contest.trials == 0 or not searching:
        return
    held = course.folds[-1].held
    choose, confirm = halves(course.pool, held, course.seed)
    over, rounds = bench.spent + TRIALS * course.contest.budget_seconds, course.contest.trials / 2
    searches = []
    for place, entry in enumerate(searching):
        purse = (over - bench.spent) / (len(searching) - place)
        if search := _opened(bench, course, entry, purse, choose):
            searches.append(search)
            _tries(bench, course, search, choose, count=ceil(rounds), purse=purse)
        else:
            notes.append(f"{entry.name}: there was no time to try other settings")
    searches = _better_half(bench, searches)
    for place, search in enumerate(searches):
        purse = (over - bench.spent) / (len(searches) - place)
        _tries(bench, course, search, choose, count=course.contest.trials - ceil(rounds), purse=purse)
    for search in searches:
        _confirm(bench, course, search, confirm, notes)


def _contenders(bench: Bench, course: Course, entries: Sequence[Entry]) -> list[Entry]:
    """The better half, those of it that have settings; simplest first."""
    near = better_half(bench, entries)
    return [entry for entry in entries if entry in near and entry.candidate.space(course.pool.columns)]


def _ranked(bench: Bench, valued: Sequence[tuple[Entry, float | None]]) -> list[Entry]:
    known = [(value, entry) for entry, value in valued if value is not None]
    return [entry for _, entry in sorted(known, key=lambda each: each[0], reverse=bench.better(1, 0))]


def _opened(bench: Bench, course: Course, entry: Entry, purse: float, choose: Ints) -> _Search | None:
    sizes = course.sizes()
    wanted = [learn for learn in sizes[1:] or sizes if len(learn) in entry.curve]
    each = course.contest.trials + 1  # and one to confirm
    paid = [learn for learn in wanted if each * MARGIN * bench.seconds(entry, len(learn)) <= purse]
    least = [learn for learn in wanted[:1] if 2 * MARGIN * bench.seconds(entry, len(learn)) <= purse]
    if not paid and not least:
        return None
    learn = (paid or least)[-1]
    own = entry.curve[len(learn)]
    study = optuna.create_study(direction="maximize" if bench.better(1, 0) else "minimize")
    return _Search(
        entry, entry.candidate.space(course.pool.columns), learn, study, [(own, _on(bench, course, own, choose))]
    )


def _tries(bench: Bench, course: Course, search: _Search, choose: Ints, *, count: int, purse: float) -> None:
    """Try so many settings, as long as the purse lasts."""
    entry, last, rows = search.entry, bench.spent + purse, len(search.learn)
    distributions = {key: distribution(values) for key, values in search.space.items()}
    for _ in range(count):
        if bench.spent + MARGIN * bench.seconds(entry, rows) > last:
            return
        number = len(search.tried)
        search.study.sampler = TPESampler(
            n_startup_trials=max(2, course.contest.trials // 3),
            multivariate=len(distributions) > 1,
            seed=int(np.random.SeedSequence([course.seed, number]).generate_state(1)[0]),
        )
        asked = search.study.ask(distributions)
        values: Values = {key: decode(kind, asked.params[key]) for key, kind in search.space.items()}
        fit = _fit(bench, course, entry, search.learn, values)
        value = _on(bench, course, fit, choose)
        if value is None:
            search.study.tell(asked, state=optuna.trial.TrialState.FAIL)
        else:
            search.study.tell(asked, value)
        search.tried.append((fit, value))


def _better_half(bench: Bench, searches: Sequence[_Search]) -> list[_Search]:
    ranked = _ranked(bench, [(search.entry, _best(bench, search)[1]) for search in searches])
    kept = ranked[: ceil(len(ranked) / 2)]
    return [search for search in searches if search.entry in kept]


def _best(bench: Bench, search: _Search) -> tuple[Fit, float | None]:
    best = search.tried[0]
    for fit, value in search.tried[1:]:
        if value is not None and (best[1] is None or bench.better(value, best[1])):
            best = fit, value
    return best


def _confirm(bench: Bench, course: Course, search: _Search, confirm: Ints, notes: list[str]) -> None:
    best, entry = _best(bench, search)[0], search.entry
    if not best.values:
        return
    own = entry.curve[max(entry.curve)]
    if own.rows != best.rows:
        learn = next(each for each in course.sizes() if len(each) == own.rows)
        best = _fit(bench, course, entry, learn, best.values)
    if best.failure is None and _beats(bench, course, best, own, confirm):
        entry.values = best.values
        said = ", ".join(
            f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}" for key, value in best.values.items()
        )
        notes.append(f"{entry.name}: settings found are better than its own: {said}")


def _fit(bench: Bench, course: Course, entry: Entry, learn: Ints, values: Values) -> Fit:
    seconds = patience(bench.seconds(entry, len(learn)), course.contest.fit_seconds)
    fold = len(course.folds) - 1
    return bench.fit(entry, "trial", fold, learn, course.folds[-1].held, values=values, seconds=seconds)


def _on(bench: Bench, course: Course, fit: Fit, places: Ints) -> float | None:
    """The main metric on some of the held-out rows."""
    if fit.failure is not None:
        return None
    scores, label = bench.scores(fit)[places], course.pool.label[course.folds[-1].held][places]
    return judge(course.pool.columns.task, scores, label)(np.ones(len(places))).get(bench.metric.name)


def _beats(bench: Bench, course: Course, ours: Fit, theirs: Fit, places: Ints) -> bool:
    """Whether `ours` is better on some held-out rows by more than one standard error."""
    label, task = course.pool.label[course.folds[-1].held][places], course.pool.columns.task

    def gap() -> list[float] | None:
        def of(fit: Fit) -> Floats:
            return bench.scores(fit)[places]

        found = difference(
            bench.metric.name,
            judge(task, of(ours), label),
            judge(task, of(theirs), label),
            rows=len(places),
            count=RESAMPLES,
            seed=course.seed,
        )
        return None if found is None else [found.value, (found.high - found.low) / NORMAL]

    found = apart(gap, ASIDE).value
    if found is None:
        return False
    better, error = found if bench.metric.higher_is_better else (-found[0], found[1])
    return bool(better > error)
