"""Which rows are learned from and which are held out: drawn once, the same for every candidate."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.candidates.rows import Rows
from models.evaluation.metrics import Floats, Ints

FEWEST_ROWS = 32  # of a learning curve's first point: fewer say nothing of more


@dataclass(frozen=True)
class Fold:
    """Numbers of rows, rising: those to learn from, and those to score."""

    learn: Ints
    held: Ints


@dataclass(frozen=True)
class Folds:
    """Folds of one pool of rows.

    Attributes:
        folds: in the order of their held-out rows' days, if there are days; the last one is that of learning curves.
        by: how they were made, for people.
        notes: what became of them otherwise than asked.

    """

    folds: tuple[Fold, ...]
    by: str
    notes: tuple[str, ...] = ()


def draw_folds(rows: Rows, count: int, seed: int) -> Folds:
    """Part the rows: expanding windows of days, whole groups, or by chance with classes in equal shares.

    Of days, `count + 1` windows have equally many rows as nearly as whole days allow; each but the first is held out
    once, and all before it is learned from (Hyndman and Athanasopoulos, "Forecasting", 2021, section 5.10). Else every
    row is held out once (Stone 1974); groups are dealt largest first to the fold with the fewest rows, rows of a class
    in turn to each fold.

    Returns:
        Fewer folds than asked, with a note, if there are too few days, groups or rows; none of a single row.

    """
    kind, keys = rows.columns.where, 0 if rows.where is None else len(np.unique(rows.where))
    if rows.where is None or kind is None or keys <= 1:
        notes = (f"all rows are of one {kind}, so folds are by chance",) if keys == 1 and len(rows) > 1 else ()
        return _by_chance(rows, count, seed, notes)
    most = keys - 1 if kind == "day" else keys
    fewer = (f"{keys} {kind}s make {most} folds, not {count}",) if most < count else ()
    count = min(count, most)
    if kind == "day":
        by = f"by date: {count} expanding windows, each judged on the days that follow"
        return Folds(_windows(rows.where, count), by, fewer)
    return Folds(_dealt(_groups(rows.where, count, seed), count), f"{count} folds of whole groups", fewer)


def samples(rows: Rows, fold: Fold, shares: Sequence[float], seed: int) -> list[Ints]:
    """Draw the training rows of a learning curve: parts of `fold.learn`, each within the next.

    All are judged on `fold.held`. They are drawn by chance, classes in equal shares, from days as well: what differs
    between two sizes is the number of rows and nothing else. (The newest days alone would be another season too, and
    settings that suit a month.) If the smallest share is fewer than `FEWEST_ROWS` rows, as many sizes as were asked for
    lie between that and the largest share, in even steps of their logarithms; those that come to all rows are left out.
    """
    order = fold.learn[np.argsort(_turns(_classes(rows)[fold.learn], seed), kind="stable")]
    least, most = (max(FEWEST_ROWS, round(share * len(order))) for share in (min(shares), max(shares)))
    if round(min(shares) * len(order)) < FEWEST_ROWS:
        wanted = {round(size) for size in np.geomspace(least, most, len(shares))}
    else:
        wanted = {round(share * len(order)) for share in shares}
    return [np.sort(order[:size]) for size in sorted(wanted) if size < len(order)]


def halves(rows: Rows, places: Ints, seed: int) -> tuple[Ints, Ints]:
    """Part `places` in two by whole days or groups, else by chance with classes in equal shares.

    Returns:
        Places *within* `places`, rising, of the half to choose by and of the half to confirm by.

    """
    if rows.where is not None and len(np.unique(rows.where[places])) > 1:
        deal = _groups(rows.where[places], 2, seed)
    else:
        deal = _chance(_classes(rows)[places], 2, seed)
    return np.flatnonzero(deal == 0), np.flatnonzero(deal == 1)


def _by_chance(rows: Rows, count: int, seed: int, notes: tuple[str, ...]) -> Folds:
    if len(rows) <= 1:
        return Folds((), "no folds", (*notes, "a single row can't be both learned from and held out"))
    if len(rows) < count:
        notes = (*notes, f"{len(rows)} rows make {len(rows)} folds, not {count}")
        count = len(rows)
    strata = ", classes in equal shares" if rows.columns.classes else ""
    return Folds(_dealt(_chance(_classes(rows), count, seed), count), f"{count} folds by chance{strata}", notes)


def _classes(rows: Rows) -> Ints:
    """The class of each row; one for all of a regression."""
    return rows.label.astype(np.int64) if rows.columns.classes else np.zeros(len(rows), np.int64)


def _windows(days: Ints, count: int) -> tuple[Fold, ...]:
    _, day, rows = np.unique(days, return_inverse=True, return_counts=True)
    before = np.concatenate([[0], np.cumsum(rows)])  # rows before each day
    starts = [0]
    for window in range(1, count + 1):
        wanted = window * len(days) / (count + 1)
        nearest = int(np.abs(before - wanted).argmin())
        starts.append(min(max(nearest, starts[-1] + 1), len(rows) - 1 - (count - window)))
    ends = [*starts[2:], len(rows)]
    return tuple(
        Fold(np.flatnonzero(day < start), np.flatnonzero((day >= start) & (day < end)))
        for start, end in zip(starts[1:], ends, strict=True)
    )


def _dealt(deal: Ints, count: int) -> tuple[Fold, ...]:
    return tuple(Fold(np.flatnonzero(deal != fold), np.flatnonzero(deal == fold)) for fold in range(count))


def _groups(where: Ints, count: int, seed: int) -> Ints:
    """Which of `count` parts each row is dealt to, whole groups together."""
    _, group, rows = np.unique(where, return_inverse=True, return_counts=True)
    turn = np.random.default_rng(seed).permutation(len(rows))  # among groups of the same size
    part, filled = np.empty(len(rows), np.int64), np.zeros(count, np.int64)
    for each in turn[np.argsort(-rows[turn], kind="stable")]:
        part[each] = filled.argmin()
        filled[part[each]] += rows[each]
    return part[group]


def _chance(classes: Ints, count: int, seed: int) -> Ints:
    """Which of `count` parts each row is dealt to, the rows of a class in turn."""
    order = np.random.default_rng(seed).permutation(len(classes))
    order = order[np.argsort(classes[order], kind="stable")]
    part = np.empty(len(classes), np.int64)
    part[order] = np.arange(len(classes)) % count
    return part


def _turns(classes: Ints, seed: int) -> Floats:
    """When each row comes, 0 to 1, so that the first of them have classes in the shares of all."""
    order = np.random.default_rng(seed).permutation(len(classes))
    order = order[np.argsort(classes[order], kind="stable")]
    sizes = np.bincount(classes)[classes[order]]
    first = np.searchsorted(classes[order], classes[order])
    turn = np.empty(len(classes))
    turn[order] = (np.arange(len(classes)) - first + 0.5) / sizes
    return turn
