"""How many seconds of the clock each candidate may take for its folds and its final fit.

Claims are met max-min fairly: who needs less than an equal share gets all of it before anybody gets more. Half of what
is left is for what the fewest rows take. The rest goes by rank, as in successive halving: the best quarter has `FEWER`
times what the quarter after it has, and that as much more than the worse half; lines count in the second quarter at
least. The best ones shift seconds between them, for the same rows of each.

In Spark a line takes as long for few rows as anybody else. There, baselines and lines have that half first, and no more
as long as others have too little; and nobody takes longer than its share at the cost of the best ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from conf.contests import CandidateName
from models.candidates.bench import Bench, Entry
from models.candidates.budget import FEWEST_SECONDS, MARGIN, MARGIN_OF_FOLDS, allot, largest_share, makespan
from models.candidates.course import Course

FINALS = 0.15  # of the budget, kept for more rows in the end
FEWER = 3  # times the purse of those who are worse
OVER, DEAR = 2.0, 1.5
FEWEST_JUDGED = 500  # rows of the first fold, if it has so many


@dataclass(frozen=True)
class Purse:
    """Seconds for a candidate's folds and final fit: its share, and the most that it may take before it has to stop."""

    share: float
    most: float


def purse_of(
    bench: Bench,
    course: Course,
    judged: Sequence[Entry],
    waiting: Sequence[Entry],
    weights: Mapping[CandidateName, float],
) -> Purse:
    """That of the first of those who wait: its share of what those leave whose final fits are to come."""
    kept = sum(MARGIN * final_clock(bench, course, each) for each in judged if each.failure is None and each.folds)
    there = [each for each in waiting if each.failure is None]
    left = (1 - FINALS) * course.contest.budget_seconds - bench.spent - kept
    fewest = {each.name: 0.0 if each.folds else _claim(bench, course, each, _fewest(course)) for each in there}
    early = {each.name: fewest.pop(each.name) for each in there if _simple(each) and bench.slow_to_start(each)}
    first = allot(early, left / 2)
    first |= allot(fewest, left / 2 - sum(first.values()))
    short = any(first[name] < needed for name, needed in fewest.items())
    later = [each for each in there if not (short and each.name in early)]
    more = {each.name: max(0.0, _claim(bench, course, each, 1.0) - first[each.name]) for each in later}
    rest = allot(more, left - sum(first.values()), weights)
    shared = {name: first[name] + rest.get(name, 0.0) for name in first}
    best = [each for each in there if weights[each.name] == 1.0 and each.seen]
    shared = _even(bench, course, best, shared)
    share = shared.get(waiting[0].name, 0.0)
    theirs = sum(shared[each.name] for each in best if each is not waiting[0] and bench.slow_to_start(each))
    return Purse(share, max(FEWEST_SECONDS, min(OVER * share, left - theirs)))


def _even(
    bench: Bench, course: Course, best: Sequence[Entry], shared: Mapping[CandidateName, float]
) -> dict[CandidateName, float]:
    """Shift seconds between the best ones, so that they pay for the same rows of each: ranks by others say less.

    Whoever would take more than `DEAR` times an equal part of what they have together keeps its own, and they theirs.
    """
    while len(best) > 1:
        together = sum(shared[each.name] for each in best)
        share = largest_share(lambda share: sum(_all(bench, course, best, share).values()) <= together)  # noqa: B023
        if share < _fewest(course):
            break
        needs = _all(bench, course, best, share)
        kept = [each for each in best if needs[each.name] <= DEAR * together / len(best)]
        if len(kept) == len(best):
            return {**shared, **needs}
        best = kept
    return dict(shared)


def _all(bench: Bench, course: Course, entries: Sequence[Entry], share: float) -> dict[CandidateName, float]:
    return {each.name: _claim(bench, course, each, share) for each in entries}


def _claim(bench: Bench, course: Course, entry: Entry, share: float) -> float:
    """Seconds for all folds and the final fit on so many rows; of whom no size has suited, those of its first fit."""
    if not entry.seen:
        return course.first_seconds
    return MARGIN_OF_FOLDS * _folds_clock(bench, course, entry, share) + MARGIN * _final(bench, course, entry, share)


def _fewest(course: Course) -> float:
    return min(1.0, FEWEST_JUDGED / len(course.folds[0].learn))


def final_clock(bench: Bench, course: Course, entry: Entry) -> float:
    """Seconds of the clock of a final fit on as large a share of the rows as the folds had."""
    return _final(bench, course, entry, entry.share) if entry.seen else 0.0


def _final(bench: Bench, course: Course, entry: Entry, share: float) -> float:
    return bench.clock(entry, round(share * len(course.pool)))


def _folds_clock(bench: Bench, course: Course, entry: Entry, share: float) -> float:
    folds = [round(share * len(fold.learn)) for fold in course.folds]
    return sum(step_clock(bench, entry, step) for step in steps(folds, bench.at_once(entry)))


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


def weigh_purses(bench: Bench, entries: Sequence[Entry]) -> dict[CandidateName, float]:
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


def needed_for(bench: Bench, course: Course, entry: Entry, share: float) -> float:
    """Seconds of the clock for its folds and its final fit, beside which others run, on a share of the rows."""
    if not entry.seen:
        return 0.0
    return _folds_clock(bench, course, entry, share) + _final(bench, course, entry, share)


def step_clock(bench: Bench, entry: Entry, step: Mapping[int, int]) -> float:
    """Seconds of the clock for fits on so many rows, begun in that order."""
    return makespan([bench.seconds(entry, rows) for rows in step.values()], bench.at_once(entry))


def steps(folds: Sequence[int], at_once: int) -> list[dict[int, int]]:
    """Order folds of so many rows: those that run side by side first, whose seconds tell the others', largest first.

    Returns:
        Rows of the folds of each step, which are one at least, by their numbers.

    """
    numbered = list(enumerate(folds))
    first, rest = numbered[:at_once], sorted(numbered[at_once:], key=lambda each: -each[1])
    return [dict(step) for step in (first, rest) if step]


def share_for(bench: Bench, course: Course, entry: Entry, purse: float) -> float:
    """Find the share of the rows that a purse pays for: the fewest at least, for who has no folds yet."""
    if not entry.seen:
        sizes = course.sizes()  # the first has not suited it
        return len(sizes[min(1, len(sizes) - 1)]) / len(course.folds[-1].learn) if sizes else 1.0

    def pays(share: float) -> bool:
        longest = MARGIN * bench.seconds(entry, round(share * len(course.pool)))
        return longest <= course.contest.fit_seconds and _claim(bench, course, entry, share) <= purse

    share = largest_share(pays)
    return share if entry.folds else max(share, _fewest(course))
