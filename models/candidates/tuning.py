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
from models.candidates.folds import FEWEST_ROWS, Fold, halves, samples
from models.candidates.holding import hold_out
from models.candidates.schedule import TRIALS, Course, better_half
from models.evaluation.bootstrap import difference, drawable, drawn
from models.evaluation.metrics import Floats, Ints, judge
from models.search.space import decode, distribution

RESAMPLES = 200
HELD = 0.25  # of the rows to learn from, by which settings are chosen and confirmed
OWN = 3  # fits beside trials: its own settings, and both to confirm
NORMAL = 3.92  # width of a 95 % interval in standard errors
ASIDE = Limits(memory_bytes=2**31, seconds=600)


@dataclass(frozen=True)
class _Ground:
    """On what settings are tried: rows of the last fold's that it learns from, some of them held out once more."""

    bench: Bench
    course: Course
    fold: Fold
    sizes: list[Ints]
    choose: Ints
    confirm: Ints

    @property
    def belongings(self) -> Ints | None:
        """Day or group of each row to confirm by."""
        where = self.course.pool.where
        return None if where is None else where[self.fold.held][self.confirm]

    def within(self, entry: Entry) -> list[Ints]:
        """Sizes whose rows a candidate has shown that it can take."""
        most = max(entry.curve)
        return [learn for learn in self.sizes if len(learn) <= most]


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
    time pays for, and never below the middle one. No row that the last fold judges by has a say, else its value would
    be too good (Cawley and Talbot 2010): of the rows that it learns from, the newest days, some groups, or any rows are
    held out once more. (Folds before it may judge by some of those; only folds within each fold would spare them
    that.) Settings are chosen by one half of those (whole days or groups) and confirmed on the other,
    fitted on the largest size that the candidate can take: they are taken if they are better than its own there by
    more than one standard error of the paired difference (bootstrap of whole days or groups; of rows, with a note,
    where there are too few of them).
    """
    searching = _contenders(bench, course, entries)
    if course.contest.trials == 0 or not searching:
        return
    ground = _ground(bench, course)
    if ground is None:
        notes.append("there are too few rows to try other settings")
        return
    over, rounds = bench.spent + TRIALS * course.contest.budget_seconds, course.contest.trials / 2
    searches = []
    for place, entry in enumerate(searching):
        purse = (over - bench.spent) / (len(searching) - place)
        if search := _opened(ground, entry, purse):
            searches.append(search)
            _tries(ground, search, count=ceil(rounds), purse=purse)
        else:
            notes.append(f"{entry.name}: there was no time to try other settings")
    searches = _better_half(bench, searches)
    for place, search in enumerate(searches):
        purse = (over - bench.spent) / (len(searches) - place)
        _tries(ground, search, count=course.contest.trials - ceil(rounds), purse=purse)
    for search in searches:
        _confirm(ground, search, notes)


def _ground(bench: Bench, course: Course) -> _Ground | None:
    outer = course.folds[-1].learn
    if len(outer) < FEWEST_ROWS:
        return None
    learn, held = (outer[places] for places in hold_out(course.pool.take(outer), HELD, course.seed))
    fold = Fold(learn, held)
    sizes = samples(course.pool, fold, course.contest.sizes, course.seed)
    choose, confirm = halves(course.pool, held, course.seed)
    if not sizes or not len(choose) or not len(confirm):
        return None
    return _Ground(bench, course, fold, sizes, choose, confirm)


def _contenders(bench: Bench, course: Course, entries: Sequence[Entry]) -> list[Entry]:
    """The better half, those of it that have settings; simplest first."""
    near = better_half(bench, entries)
    return [entry for entry in entries if entry in near and entry.candidate.space(course.pool.columns)]


def _ranked(bench: Bench, valued: Sequence[tuple[Entry, float | None]]) -> list[Entry]:
    known = [(value, entry) for entry, value in valued if value is not None]
    return [entry for _, entry in sorted(known, key=lambda each: each[0], reverse=bench.better(1, 0))]


def _opened(ground: _Ground, entry: Entry, purse: float) -> _Search | None:
    """Begin with its own settings, on the largest size for which there is time."""
    bench, course, within = ground.bench, ground.course, ground.within(entry)
    wanted = within[len(ground.sizes) // 2 :]
    each, fewest = course.contest.trials + OWN, 1 + OWN
    paid = [learn for learn in wanted if each * MARGIN * bench.seconds(entry, len(learn)) <= purse]
    least = [learn for learn in wanted[:1] if fewest * MARGIN * bench.seconds(entry, len(learn)) <= purse]
    if not paid and not least:
        return None
    learn = (paid or least)[-1]
    own = _fit(ground, entry, learn, {})
    study = optuna.create_study(direction="maximize" if bench.better(1, 0) else "minimize")
    tried = [(own, _on(ground, own, ground.choose))]
    return _Search(entry, entry.candidate.space(course.pool.columns), learn, study, tried)


def _tries(ground: _Ground, search: _Search, *, count: int, purse: float) -> None:
    """Try so many settings, as long as the purse lasts."""
    bench, course, entry, rows = ground.bench, ground.course, search.entry, len(search.learn)
    last, distributions = bench.spent + purse, {key: distribution(values) for key, values in search.space.items()}
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
        fit = _fit(ground, entry, search.learn, values)
        value = _on(ground, fit, ground.choose)
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


def _confirm(ground: _Ground, search: _Search, notes: list[str]) -> None:
    best, own, entry = _best(ground.bench, search)[0], search.tried[0][0], search.entry
    if not best.values:
        return
    learn = ground.within(entry)[-1]
    if len(learn) != len(search.learn):
        own, best = (_fit(ground, entry, learn, fit.values) for fit in (own, best))
    if best.failure is None and own.failure is None and _beats(ground, best, own):
        entry.values = best.values
        said = ", ".join(
            f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}" for key, value in best.values.items()
        )
        few = drawable(ground.belongings) is None and ground.belongings is not None
        by = (
            f"; what confirmed them are resamples of {drawn(ground.belongings, ground.course.pool.columns.where)}"
            if few
            else ""
        )
        notes.append(f"{entry.name}: settings found are better than its own: {said}{by}")


def _fit(ground: _Ground, entry: Entry, learn: Ints, values: Values) -> Fit:
    bench, course = ground.bench, ground.course
    seconds = patience(bench.seconds(entry, len(learn)), course.contest.fit_seconds)
    number = len(course.folds) - 1
    return bench.fit(entry, "trial", number, learn, ground.fold.held, values=values, seconds=seconds)


def _on(ground: _Ground, fit: Fit, places: Ints) -> float | None:
    """The main metric on some of the held-out rows."""
    if fit.failure is not None:
        return None
    pool = ground.course.pool
    scores, label = ground.bench.scores(fit)[places], pool.label[ground.fold.held][places]
    return judge(pool.columns.task, scores, label)(np.ones(len(places))).get(ground.bench.metric.name)


def _beats(ground: _Ground, ours: Fit, theirs: Fit) -> bool:
    """Whether `ours` is better on the rows to confirm by, by more than one standard error (of few days, more)."""
    bench, pool, places = ground.bench, ground.course.pool, ground.confirm
    label, task = pool.label[ground.fold.held][places], pool.columns.task

    def gap() -> list[float] | None:
        def of(fit: Fit) -> Floats:
            return bench.scores(fit)[places]

        found = difference(
            bench.metric.name,
            judge(task, of(ours), label),
            judge(task, of(theirs), label),
            rows=len(places),
            count=RESAMPLES,
            seed=ground.course.seed,
            clusters=drawable(ground.belongings),
        )
        return None if found is None else [found.value, (found.high - found.low) / NORMAL]

    found = apart(gap, ASIDE).value
    if found is None:
        return False
    better, error = found if bench.metric.higher_is_better else (-found[0], found[1])
    return bool(better > error)
