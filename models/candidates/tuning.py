"""Trying settings beside a candidate's own ones, and taking them only where they are better beyond noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

import numpy as np
import optuna
from optuna.samplers import TPESampler

from conf.contests import CandidateName
from conf.schema import Choices, Range
from conf.selecting import Fit, Values
from models.candidates.apart import Limits, apart
from models.candidates.bench import Bench, Entry, Wanted
from models.candidates.budget import MARGIN, patience
from models.candidates.course import Course
from models.candidates.folds import FEWEST_ROWS, Fold, halves, samples
from models.candidates.holding import hold_out
from models.candidates.purses import better_half
from models.candidates.schedule import TRIALS
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
    """A candidate's search: on which rows, until when, and what was tried there (own settings first)."""

    entry: Entry
    space: Mapping[str, Range | Choices]
    learn: Ints
    study: optuna.Study
    last: float  # seconds that its candidate may have spent
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
    over, rounds = bench.spent + TRIALS * course.contest.budget_seconds, ceil(course.contest.trials / 2)
    searches = _opened(ground, searching, (over - bench.spent) / len(searching), notes)
    _tries(ground, searches, rounds)
    searches = _better_half(bench, searches)
    for search in searches:
        search.last = search.entry.spent + (over - bench.spent) / len(searches)
    _tries(ground, searches, course.contest.trials - rounds)
    _confirm(ground, searches, notes)


def _ground(bench: Bench, course: Course) -> _Ground | None:
    outer = course.folds[-1].learn
    if len(outer) < FEWEST_ROWS:
        return None
    learn, held = (outer[places] for places in hold_out(course.pool.bare().take(outer), HELD, course.seed))
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


def _opened(ground: _Ground, entries: Sequence[Entry], purse: float, notes: list[str]) -> list[_Search]:
    """Begin with their own settings, each on the largest size for which there is time."""
    bench, course = ground.bench, ground.course
    each, fewest, learns = course.contest.trials + OWN, 1 + OWN, dict[CandidateName, Ints]()
    for entry in entries:
        wanted = ground.within(entry)[len(ground.sizes) // 2 :]
        paid = [learn for learn in wanted if each * MARGIN * bench.clock(entry, len(learn)) <= purse]
        least = [learn for learn in wanted[:1] if fewest * MARGIN * bench.clock(entry, len(learn)) <= purse]
        if paid or least:
            learns[entry.name] = (paid or least)[-1]
        else:
            notes.append(f"{entry.name}: there was no time to try other settings")
    begun = [entry for entry in entries if entry.name in learns]
    lasts = [entry.spent + purse for entry in begun]
    own = bench.do([_trial(ground, entry, learns[entry.name], {}) for entry in begun])
    return [
        _Search(
            entry,
            entry.candidate.space(course.pool.columns),
            learns[entry.name],
            optuna.create_study(direction="maximize" if bench.better(1, 0) else "minimize"),
            last,
            [(fit, _on(ground, fit, ground.choose))],
        )
        for entry, last, fit in zip(begun, lasts, own, strict=True)
    ]


def _tries(ground: _Ground, searches: Sequence[_Search], count: int) -> None:
    """Have each try so many settings, as long as its purse lasts, in turns; a few of them try several at a time."""
    bench, left = ground.bench, {search.entry.name: count for search in searches}
    while True:
        going = [search for search in searches if left[search.entry.name] and _pays(bench, search)]
        if not going:
            return
        asked = []
        for search in going:
            turns = min(left[search.entry.name], max(1, bench.at_once(search.entry) // len(going)))
            left[search.entry.name] -= turns
            asked += [(search, *_asked(ground, search, beside)) for beside in range(turns)]
        fits = bench.do([_trial(ground, search.entry, search.learn, values) for search, _, values in asked])
        for (search, trial, _), fit in zip(asked, fits, strict=True):
            value = _on(ground, fit, ground.choose)
            if value is None:
                search.study.tell(trial, state=optuna.trial.TrialState.FAIL)
            else:
                search.study.tell(trial, value)
            search.tried.append((fit, value))


def _pays(bench: Bench, search: _Search) -> bool:
    return search.entry.spent + MARGIN * bench.clock(search.entry, len(search.learn)) <= search.last


def _asked(ground: _Ground, search: _Search, beside: int) -> tuple[optuna.trial.Trial, Values]:
    """Draw the next settings; `beside`: so many others are tried at the same time."""
    course, distributions = ground.course, {key: distribution(values) for key, values in search.space.items()}
    search.study.sampler = TPESampler(
        n_startup_trials=max(2, course.contest.trials // 3),
        multivariate=len(distributions) > 1,
        constant_liar=beside > 0,
        seed=int(np.random.SeedSequence([course.seed, len(search.tried) + beside]).generate_state(1)[0]),
    )
    trial = search.study.ask(distributions)
    return trial, {key: decode(kind, trial.params[key]) for key, kind in search.space.items()}


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


def _confirm(ground: _Ground, searches: Sequence[_Search], notes: list[str]) -> None:
    """Take settings that are better than a candidate's own on rows that had no say in the choice."""
    found = [(search, search.tried[0][0], _best(ground.bench, search)[0]) for search in searches]
    found = [(search, own, best) for search, own, best in found if best.values]
    wanted, places = list[Wanted](), dict[CandidateName, int]()
    for search, _, best in found:
        learn = ground.within(search.entry)[-1]
        if len(learn) != len(search.learn):
            places[search.entry.name] = len(wanted)
            wanted += [_trial(ground, search.entry, learn, values) for values in ({}, best.values)]
    again = ground.bench.do(wanted)
    for search, *chosen in found:
        place = places.get(search.entry.name)
        own, best = chosen if place is None else again[place : place + 2]
        if best.failure is None and own.failure is None and _beats(ground, best, own):
            search.entry.values = best.values
            notes.append(f"{search.entry.name}: settings found are better than its own: {_said(ground, best.values)}")


def _said(ground: _Ground, values: Values) -> str:
    said = ", ".join(
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}" for key, value in values.items()
    )
    if drawable(ground.belongings) is not None or ground.belongings is None:
        return said
    by = drawn(ground.belongings, ground.course.pool.columns.where)
    return f"{said}; what confirmed them are resamples of {by}"


def _trial(ground: _Ground, entry: Entry, learn: Ints, values: Values) -> Wanted:
    seconds = patience(ground.bench.seconds(entry, len(learn)), ground.course.contest.fit_seconds)
    return Wanted(entry, "trial", len(ground.course.folds) - 1, learn, ground.fold.held, values, seconds)


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
