"""Who is fitted on what and when, so that the budget is shared fairly and starves nobody.

1. *Sizes*, `SIZES` of the budget in equal purses: every candidate is fitted on each share of the rows, simplest first,
   and so shows how long it takes. Who has taken half as much again as its purse for the first size, or whose
   predicted seconds exceed it from the third one on, stays behind, and says so; what is left is for the folds.
2. *Trials*, `TRIALS` of the budget: the better half on the largest size that all reached try other settings, and the
   better half of them go on (`models.candidates.tuning`): successive halving (Karnin, Koren and Somekh 2013; Jamieson
   and Talwalkar 2016), with rows and then trials for a budget.
3. *Folds*, all that is left but `purses.FINALS` of the budget: each candidate's folds and final fit have one purse
   (`models.candidates.purses`), so the time for the last fit is reserved before the first. Whose purse does not pay for
   all rows is fitted on a share of them, the same in every fold.
4. *Finals*: those of the best on more rows than their folds had (`models.candidates.finals`).

Seconds are predicted by power laws (`budget.seconds_at`). Fits of a step run side by side, as many as the machine has
cores for, and share the clock. Whose folds turn out to take `purses.OVER` times its share goes on with fewer rows;
whoever takes that on `purses.FEWEST_JUDGED` rows already falls out: a rank by fewer says nothing. Everything that was
cut is a note.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from conf.selecting import Fit
from models.candidates.apart import OVERDUE, too_large
from models.candidates.bench import Bench, Entry, Wanted
from models.candidates.course import Course
from models.candidates.folds import FEWEST_ROWS
from models.candidates.purses import Purse, needed_for, purse_of, share_for, step_clock, steps, weigh_purses
from models.evaluation.metrics import Ints

SIZES, TRIALS = 0.3, 0.2
DEAR = 1.5  # purses
MORE = 2.0  # times the rows, for which it is worth to fit the folds again
ATTEMPTS = 3  # whose time or memory is too short tries again on fewer rows
FEWER = 3  # times the rows
LESS_WORK = 2  # times, for which it is worth to try fewer rows
LESS = 0.8  # of the rows at most, if folds would outrun the share
KEPT = 0.8  # of the rows, that settings which were found must leave


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
    """Fit candidates on one more size; whose time is up on the first shows on fewer rows how slow it is.

    Unless these are hardly less work, as are those of a network, which takes as many steps for few rows.
    """
    fewer, hung = course.some(max(FEWEST_ROWS, len(learn) // FEWER**2)), []
    for entry, fit in zip(going, bench.do([_sized(bench, course, entry, learn) for entry in going]), strict=True):
        if fit.failure is None:
            entry.curve[len(learn)] = fit
            continue
        notes.append(f"{entry.name}: no fit on {len(learn)} rows: {fit.failure}")
        if entry.seen or not fit.failure.startswith(OVERDUE):
            continue  # other rows may suit it better; the folds will tell
        work = entry.candidate.work
        if LESS_WORK * work(len(fewer)) > work(len(learn)):
            entry.failure = f"{fit.failure} with {len(learn)} rows already"
            notes.append(f"{entry.name} fell out: {entry.failure}")
        else:
            hung.append(entry)
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
    weights = weigh_purses(bench, entries)
    for place, entry in enumerate(entries):
        _judge(bench, course, entry, notes, purse_of(bench, course, entries[:place], entries[place:], weights))
    short = [entry for entry in entries if entry.failure is None and (entry.share < 1 or not entry.folds)]
    short.sort(key=lambda entry: bool(entry.folds))  # first those who have none
    for place, entry in enumerate(short):
        others = [each for each in entries if each not in short[place:]]
        purse = purse_of(bench, course, others, short[place:], weights)
        _judge(bench, course, entry, notes, purse, last=True)
        if entry.share < 1 and entry.failure is None:
            notes.append(f"{entry.name}: time was for {entry.share:.1%} of the rows in each fold")


def _judge(bench: Bench, course: Course, entry: Entry, notes: list[str], purse: Purse, *, last: bool = False) -> None:
    """Fit its folds, if the purse pays for them; if not, and this was the last chance, it falls out."""
    if entry.failure is not None:
        return
    share = _settled(bench, course, entry, notes, purse)
    if entry.folds and share < min(1.0, MORE * entry.share):
        return
    needed = needed_for(bench, course, entry, share)
    if not entry.folds and needed > purse.most:
        if not last:
            return
        least = f"its folds would take {needed:.0f} seconds on the fewest rows that count, {share:.1%} of all"
        entry.failure = f"{least}, and {purse.share:.0f} were left for it: a larger contest.budget_seconds would help"
        notes.append(f"{entry.name} fell out: {entry.failure}")
        return
    if entry.folds:
        _again(bench, course, entry, notes, share, most=purse.most)
        return
    entry.share = share
    _folds(bench, course, entry, notes, purse)


def _settled(bench: Bench, course: Course, entry: Entry, notes: list[str], purse: Purse) -> float:
    """Give the share of the rows that the purse pays for, with its own settings if those found would cost many rows."""
    share = share_for(bench, course, entry, purse.share)
    if entry.folds or not entry.values:
        return share
    paid = needed_for(bench, course, entry, share) <= purse.most
    found, entry.values = entry.values, {}
    own = share_for(bench, course, entry, purse.share)
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


def _folds(bench: Bench, course: Course, entry: Entry, notes: list[str], purse: Purse) -> None:
    for attempt in range(ATTEMPTS):
        unseen = not entry.seen
        entry.folds, cut = _fitted(bench, course, entry, entry.share, purse.most)
        if cut is None:
            return
        if cut.short and attempt + 1 < ATTEMPTS:  # by now more is known of its seconds
            notes.append(f"{entry.name}: with {cut.rows} rows {cut.reason}; it went on with fewer")
            fewer = share_for(bench, course, entry, purse.share)
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
    found, before = dict[int, Fit](), entry.spent
    for step in steps([len(each) for each in learn], bench.at_once(entry)):
        wanted = []
        for place in step:
            limit = _limit(bench, course, entry, learn[place])
            wanted.append(Wanted(entry, "fold", place, learn[place], course.folds[place].held, entry.values, limit))
        final = round(share * len(course.pool))
        rest = step_clock(bench, entry, step) + bench.clock(entry, final) if entry.seen else 0.0
        if found and entry.spent - before + rest > most:
            reason = f"{OVERDUE} its share: {entry.spent - before + rest:.0f} seconds, and {most:.0f} are the most"
            return [], _Cut(len(found), len(wanted[0].learn), reason, short=True)
        found |= dict(zip(step, bench.do(wanted), strict=True))
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
