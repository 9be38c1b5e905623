"""Who is fitted on what and when, so that the budget is shared fairly and starves nobody.

1. *Sizes*, `SIZES` of the budget in equal purses: every candidate is fitted on each share of the rows, simplest first,
   and so shows how long it takes. Who has taken half as much again as its purse for the first size, or whose
   predicted seconds exceed it from the third one on, stays behind, and says so; what is left is for the folds.
2. *Trials*, `TRIALS` of the budget: the better half on the largest size that all reached try other settings, and the
   better half of them go on (`models.candidates.tuning`): successive halving (Karnin, Koren and Somekh 2013; Jamieson
   and Talwalkar 2016), with rows and then trials for a budget.
3. *Folds*, all that is left but `FINALS` of the budget: each candidate's folds and final fit are one claim, so the time
   for the last fit is reserved before the first. Claims are met max-min fairly: who needs less than an equal share gets
   all of it before anybody gets more. Half of what is left is for what the fewest rows take, the rest goes by rank: the
   best quarter has `FEWER` times what the quarter after it has, and that as much more than the worse half, as in
   successive halving; lines count in the second quarter at least. Whose claim is too high is fitted on a share of the
   rows, the same in every fold.
4. *Finals*: those of the best on more rows than their folds had (`models.candidates.finals`).

Seconds are predicted by power laws (`budget.seconds_at`). Fits of a step run side by side, as many as the machine has
cores for, and share the clock. Whose folds turn out to take `OVER` times its share goes on with fewer rows; whoever
takes that on `FEWEST_JUDGED` rows already falls out: a rank by fewer says nothing. Everything that was cut is a note.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil

from conf.contests import CandidateName
from conf.selecting import Fit
from models.candidates.apart import OVERDUE, too_large
from models.candidates.bench import Bench, Entry, Wanted
from models.candidates.budget import FEWEST_SECONDS, MARGIN, allot, share_within
from models.candidates.course import Course
from models.candidates.folds import FEWEST_ROWS
from models.evaluation.metrics import Ints

SIZES, TRIALS, FINALS = 0.3, 0.2, 0.1
DEAR = 1.5  # purses
OVER = 2.0
MORE = 2.0  # times the rows, for which it is worth to fit the folds again
ATTEMPTS = 3  # whose time or memory is too short tries again on fewer rows
FEWER = 3  # times, also the purse of those who are worse
LESS = 0.8  # of the rows at most, if folds would outrun the share
KEPT = 0.8  # of the rows, that settings which were found must leave
FEWEST_JUDGED = 500  # rows of the first fold, if it has so many


def climb(bench: Bench, course: Course, entries: Sequence[Entry], notes: list[str]) -> None:
    """Fit every candidate on every size, as far as its own purse goes: what one takes is at nobody else's cost."""
    sizes = course.sizes()
    purse = SIZES * course.contest.budget_seconds / max(1, len(entries))
    for place, learn in enumerate(sizes):
        going = []
        for entry in entries:
            if entry.failure is not None or len(entry.curve) != place:
                continue
            # Of one size alone it is not known what is a start of its own, so a second one is for all but the dearest.
            next_one = bench.clock(entry, len(learn)) if entry.seen else 0.0
            if place and (entry.spent > DEAR * purse if place == 1 else entry.spent + next_one > purse):
                notes.append(f"{entry.name}: time was for {len(entry.curve)} of {len(sizes)} sizes of its curve")
            else:
                going.append(entry)
        _step(bench, course, going, learn, notes)


def _step(bench: Bench, course: Course, going: Sequence[Entry], learn: Ints, notes: list[str]) -> None:
    """Fit candidates on one more size; whose time is up on the first shows on fewer rows how slow it is."""
    hung = []
    for entry, fit in zip(going, bench.do([_sized(bench, course, entry, learn) for entry in going]), strict=True):
        if fit.failure is None:
            entry.curve[len(learn)] = fit
            continue
        notes.append(f"{entry.name}: no fit on {len(learn)} rows: {fit.failure}")
        if not entry.seen and fit.failure.startswith(OVERDUE):
            hung.append(entry)  # of others, other rows may suit them better; the folds will tell
    fewer = course.some(max(FEWEST_ROWS, len(learn) // FEWER**2))
    for entry, fit in zip(hung, bench.do([_sized(bench, course, entry, fewer) for entry in hung]), strict=True):
        if fit.failure is not None and fit.failure.startswith(OVERDUE):
            entry.failure = f"{fit.failure} with {len(fewer)} rows already"
            notes.append(f"{entry.name} fell out: {entry.failure}")


def _sized(bench: Bench, course: Course, entry: Entry, learn: Ints) -> Wanted:
    limit = _limit(bench, course, entry, learn)
    return Wanted(entry, "size", len(course.folds) - 1, learn, course.folds[-1].held, {}, limit)


def _limit(bench: Bench, course: Course, entry: Entry, learn: Ints) -> float:
    """Seconds that a fit may take."""
    return bench.patience(entry, len(learn), course.contest.fit_seconds) if entry.seen else course.first_seconds


def judge_all(bench: Bench, course: Course, entries: Sequence[Entry], notes: list[str]) -> None:
    """Fit every candidate on every fold, simplest first, with time for the final fits kept back.

    If time is left over, those whose purse did not pay for the fewest rows have a second chance, and those who had a
    share of the rows are fitted once more, where it makes much of a difference: by then it is known how long they take.
    """
    weights = _weights(bench, entries)
    for place, entry in enumerate(entries):
        _judge(bench, course, entry, notes, _purse(bench, course, entries[:place], entries[place:], weights))
    short = [entry for entry in entries if entry.failure is None and (entry.share < 1 or not entry.folds)]
    short.sort(key=lambda entry: bool(entry.folds))  # first those who have none
    for place, entry in enumerate(short):
        others = [each for each in entries if each not in short[place:]]
        purse = _purse(bench, course, others, short[place:], weights)
        _judge(bench, course, entry, notes, purse, last=True)
        if entry.share < 1 and entry.failure is None:
            notes.append(f"{entry.name}: time was for {entry.share:.1%} of the rows in each fold")


@dataclass(frozen=True)
class _Purse:
    """Seconds for a candidate's folds and final fit: its share, and the most that it may take before it has to stop."""

    share: float
    most: float


def _purse(
    bench: Bench,
    course: Course,
    judged: Sequence[Entry],
    waiting: Sequence[Entry],
    weights: Mapping[CandidateName, float],
) -> _Purse:
    """That of the first of those who wait: its share of what those leave whose final fits are to come."""
    kept = sum(MARGIN * final_clock(bench, course, each) for each in judged if each.failure is None and each.folds)
    there = [each for each in waiting if each.failure is None]
    left = (1 - FINALS) * course.contest.budget_seconds - bench.spent - kept
    fewest = {each.name: 0.0 if each.folds else _claim(bench, course, each, _fewest(course)) for each in there}
    first = allot(fewest, left / 2)
    more = {each.name: max(0.0, _claim(bench, course, each, 1.0) - first[each.name]) for each in there}
    name = waiting[0].name
    share = first.get(name, 0.0) + allot(more, left - sum(first.values()), weights).get(name, 0.0)
    return _Purse(share, max(FEWEST_SECONDS, min(OVER * share, left)))


def _judge(bench: Bench, course: Course, entry: Entry, notes: list[str], purse: _Purse, *, last: bool = False) -> None:
    """Fit its folds, if the purse pays for them; if not, and this was the last chance, it falls out."""
    if entry.failure is not None:
        return
    share = _settled(bench, course, entry, notes, purse)
    if entry.folds and share < min(1.0, MORE * entry.share):
        return
    needed = _needed(bench, course, entry, share)
    if not entry.folds and needed > purse.most:
        if not last:
            return
        least = f"its folds would take {needed:.0f} seconds on {share:.1%} of the rows already"
        entry.failure = f"{least}, and {purse.share:.0f} were left for it"
        notes.append(f"{entry.name} fell out: {entry.failure}")
        return
    if entry.folds:
        _again(bench, course, entry, notes, share, most=purse.most)
        return
    entry.share = share
    _folds(bench, course, entry, notes, purse)


def _settled(bench: Bench, course: Course, entry: Entry, notes: list[str], purse: _Purse) -> float:
    """Give the share of the rows that the purse pays for, with its own settings if those found would cost many rows."""
    share = _share(bench, course, entry, purse.share)
    if entry.folds or not entry.values:
        return share
    paid = _needed(bench, course, entry, share) <= purse.most
    found, entry.values = entry.values, {}
    own = _share(bench, course, entry, purse.share)
    if paid and share >= KEPT * own:
        entry.values = found
        return share
    rows = f"{share:.1%} of the rows, and for {own:.1%} with its own, which it keeps"
    notes.append(f"{entry.name}: with the settings found time is for {rows}")
    return own


@dataclass(frozen=True)
class _Cut:
    """Folds that came to no end: their number, the rows of the next one, why, and whether its share was too short."""

    number: int
    rows: int
    reason: str
    short: bool = False


def _folds(bench: Bench, course: Course, entry: Entry, notes: list[str], purse: _Purse) -> None:
    for attempt in range(ATTEMPTS):
        unseen = not entry.seen
        entry.folds, cut = _fitted(bench, course, entry, entry.share, purse.most)
        if cut is None:
            return
        if cut.short and attempt + 1 < ATTEMPTS:  # by now more is known of its seconds
            notes.append(f"{entry.name}: with {cut.rows} rows {cut.reason}; it went on with fewer")
            fewer = _share(bench, course, entry, purse.share)
            entry.share = min(max(fewer, entry.share / FEWER), LESS * entry.share)
            continue
        if unseen and entry.share < 1 and not too_large(cut.reason):
            entry.share = 1.0  # what is wrong with few rows may not be with all
        elif not shrinks(entry, cut.reason, cut.rows, notes, attempt=attempt):
            entry.failure = f"fold {cut.number + 1} of {len(course.folds)}: {cut.reason}"
            notes.append(f"{entry.name} fell out: {entry.failure}")
            return


def _again(bench: Bench, course: Course, entry: Entry, notes: list[str], share: float, *, most: float) -> None:
    """Fit the folds of a candidate that has them on more rows; if one fails, it keeps those that it has."""
    found, cut = _fitted(bench, course, entry, share, most)
    if cut is None:
        entry.share, entry.folds = share, found
    else:
        notes.append(f"{entry.name}: with {cut.rows} rows {cut.reason}; it stays with fewer")


def _fitted(bench: Bench, course: Course, entry: Entry, share: float, most: float) -> tuple[list[Fit], _Cut | None]:
    """Fits of the folds in order, up to the first that failed; [] if those to come would take too long.

    So many as run at a time go first: what they take tells what the others will, of which the largest begin first.
    """
    learn = [course.part(fold, share) for fold in course.folds]
    first, found = bench.at_once(entry), dict[int, Fit]()
    before = entry.spent
    for places in (range(first)[: len(learn)], sorted(range(first, len(learn)), key=lambda place: -len(learn[place]))):
        wanted = []
        for place in places:
            limit = _limit(bench, course, entry, learn[place])
            wanted.append(Wanted(entry, "fold", place, learn[place], course.folds[place].held, entry.values, limit))
        rest = sum(bench.clock(entry, len(each.learn)) for each in wanted) if entry.seen else 0.0
        rest += bench.clock(entry, round(share * len(course.pool))) if entry.seen else 0.0  # the final fit
        if found and entry.spent - before + rest > most:
            reason = f"{OVERDUE} its share: {entry.spent - before + rest:.0f} seconds, and {most:.0f} are the most"
            return [], _Cut(len(found), len(wanted[0].learn), reason, short=True)
        found |= dict(zip(places, bench.do(wanted), strict=True))
        failed = next((place for place in sorted(found) if found[place].failure is not None), None)
        if failed is not None:
            return [found[place] for place in range(failed)], _Cut(
                failed, found[failed].rows, str(found[failed].failure)
            )
    return [found[place] for place in range(len(learn))], None


def shrinks(entry: Entry, failure: str, rows: int, notes: list[str], *, attempt: int) -> bool:
    """Whether a candidate whose fit failed for time or memory goes on with fewer rows."""
    if not too_large(failure) or attempt + 1 == ATTEMPTS or rows <= FEWEST_ROWS:
        return False
    notes.append(f"{entry.name}: with {rows} rows {failure}; it went on with fewer")
    entry.share /= FEWER
    return True


def _claim(bench: Bench, course: Course, entry: Entry, share: float) -> float:
    """Seconds for all folds and the final fit on so many rows; of whom no size has suited, those of its first fit."""
    return MARGIN * _needed(bench, course, entry, share) if entry.seen else course.first_seconds


def _fewest(course: Course) -> float:
    return min(1.0, FEWEST_JUDGED / len(course.folds[0].learn))


def final_clock(bench: Bench, course: Course, entry: Entry) -> float:
    """Seconds of the clock of a final fit on as large a share of the rows as the folds had."""
    return bench.clock(entry, round(entry.share * len(course.pool))) if entry.seen else 0.0


def better_half(bench: Bench, entries: Sequence[Entry]) -> list[Entry]:
    """Those that are better on the largest size that at least half of those have reached who have any.

    Whoever was too slow for it is compared on the largest size of its own, on the same rows as the others there: it
    takes its place before the first of them that it is better than.
    """
    ranked = _ranked(bench, entries)
    return ranked[: ceil(len(ranked) / 2)]


def _ranked(bench: Bench, entries: Sequence[Entry]) -> list[Entry]:
    curved = [entry for entry in entries if entry.failure is None and entry.curve]
    reached = sorted(max(entry.curve) for entry in curved)
    most = reached[len(reached) // 2] if reached else 0
    ranked: list[Entry] = []
    for entry in sorted(curved, key=lambda each: -max(rows for rows in each.curve if rows <= most)):
        own = max(rows for rows in entry.curve if rows <= most)
        value = bench.value(entry.curve[own])
        theirs = [bench.value(other.curve[own]) if own in other.curve else None for other in ranked]
        if value is not None:
            beaten = (place for place, other in enumerate(theirs) if other is not None and bench.better(value, other))
            ranked.insert(next(beaten, len(ranked)), entry)
    return ranked


def _weights(bench: Bench, entries: Sequence[Entry]) -> dict[CandidateName, float]:
    """Weigh purses by rank: 1 in the best quarter, a `FEWER`th of it in the next one, and of that in the worse half.

    Simple ones are never in the worse half: they are what all others are measured by.
    """
    ranked = [entry.name for entry in _ranked(bench, entries)]
    half = ceil(len(ranked) / 2)
    quarter = ceil(half / 2)
    worst = 1 / FEWER if half == quarter else 1 / FEWER**2  # of two, nobody is between the best and the other one
    weights = {entry.name: 1 / FEWER if _simple(entry) else worst for entry in entries}
    return weights | dict.fromkeys(ranked[:half], 1 / FEWER) | dict.fromkeys(ranked[:quarter], 1.0)


def _simple(entry: Entry) -> bool:
    return entry.candidate.family in ("baseline", "linear")


def _needed(bench: Bench, course: Course, entry: Entry, share: float) -> float:
    """Seconds for its folds and its final fit on a share of the rows."""
    return sum(bench.clock(entry, round(share * rows)) for rows in course.full) if entry.seen else 0.0


def _share(bench: Bench, course: Course, entry: Entry, purse: float) -> float:
    if not entry.seen:
        sizes = course.sizes()  # the first has not suited it
        return len(sizes[min(1, len(sizes) - 1)]) / len(course.folds[-1].learn) if sizes else 1.0
    clock, longest = bench.at_once(entry) * purse, course.contest.fit_seconds
    share = share_within(course.full, partial(bench.seconds, entry), clock, longest)
    return share if entry.folds else max(share, _fewest(course))
