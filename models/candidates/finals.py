"""The final fits, saved and judged on test: on as large a share of the rows as folds had, those of the best on more."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from conf.contests import CandidateName
from models.candidates.bench import Bench, Entry, Wanted
from models.candidates.budget import MARGIN, largest_share
from models.candidates.course import Course
from models.candidates.folds import Fold
from models.candidates.purses import final_clock
from models.candidates.schedule import ATTEMPTS, shrinks

MORE = 1.5  # times the rows of folds, for which it is worth to have more in the end


def finish(
    bench: Bench, course: Course, entries: Sequence[Entry], notes: list[str], folder: Callable[[Entry], Path]
) -> None:
    """Fit every candidate on the pool, save it in its `folder`, and have it judged on test.

    A share of the rows that the folds had for want of time is the final fit's too. But of the seconds that are left,
    the best candidates, one after the other, have as many as their final fits take on more rows: whoever is
    recommended is to be of use as it is, and other candidates' folds are behind them by then.
    """
    whole = Fold(np.arange(len(course.pool)), course.folds[-1].held)
    shares = _shares(bench, course, [entry for entry in entries if entry.failure is None])
    for attempt in range(ATTEMPTS):
        there = [entry for entry in entries if entry.failure is None and entry.final is None]
        rows = {entry.name: course.part(whole, shares.pop(entry.name, entry.share)) for entry in there}
        # Those that take longest begin first, so that none of them is alone in the end.
        there.sort(key=lambda entry: -bench.clock(entry, len(rows[entry.name])))
        wanted = []
        for entry in there:
            learn = rows[entry.name]
            limit = bench.patience(entry, len(learn), course.contest.fit_seconds)
            wanted.append(Wanted(entry, "final", -1, learn, None, entry.values, limit, folder(entry)))
        for each, fit in zip(wanted, bench.do(wanted), strict=True):
            entry, rows_of_folds = each.entry, round(each.entry.share * len(course.pool))
            if fit.failure is None:
                entry.final = fit
            elif len(each.learn) > rows_of_folds and attempt + 1 < ATTEMPTS:
                notes.append(f"{entry.name}: with {len(each.learn)} rows {fit.failure}; it went on with fewer")
            elif not shrinks(entry, fit.failure, len(each.learn), notes, attempt=attempt):
                entry.failure = f"its final fit failed: {fit.failure}"
                notes.append(f"{entry.name} fell out: {entry.failure}")
    left = course.contest.budget_seconds - bench.spent
    if left < 0:
        notes.append(f"fits took {-left:.0f} seconds more than the {course.contest.budget_seconds} of the budget")


def _shares(bench: Bench, course: Course, entries: Sequence[Entry]) -> dict[CandidateName, float]:
    """Shares of the pool for those whose folds had fewer rows than there are and who get more now, by name."""
    rows, left = len(course.pool), course.contest.budget_seconds - bench.spent
    longest = min(course.contest.fit_seconds, left)  # however many run beside it
    left -= sum(MARGIN * final_clock(bench, course, entry) for entry in entries)
    found: dict[CandidateName, float] = {}
    for entry in best_first(bench, entries):
        own = MARGIN * final_clock(bench, course, entry)
        clock = bench.at_once(entry) * (own + max(0.0, left))
        share = largest_share(partial(_pays, bench, entry, rows, min(clock, longest)))
        if entry.share < 1 and share >= min(1.0, MORE * entry.share):
            found[entry.name] = share
            left -= MARGIN * bench.clock(entry, round(share * rows)) - own
    return found


def _pays(bench: Bench, entry: Entry, rows: int, seconds: float, share: float) -> bool:
    return MARGIN * bench.seconds(entry, round(share * rows)) <= seconds


def best_first(bench: Bench, entries: Sequence[Entry]) -> list[Entry]:
    """Those that folds have judged, by the mean of the main metric over them."""
    means = {}
    for entry in entries:
        values = [value for fit in entry.folds if (value := bench.value(fit)) is not None]
        if values and entry.failure is None:
            means[entry.name] = float(np.mean(values))
    judged = [entry for entry in entries if entry.name in means]
    return sorted(judged, key=lambda entry: means[entry.name], reverse=bench.better(1, 0))
