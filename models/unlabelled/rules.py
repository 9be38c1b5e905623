"""Association rules about the label, exact, on bits (Agrawal and Srikant 1994; Eclat, Zaki 2000)."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from conf.associating import (
    BAR,
    LONGEST,
    MOST,
    OFTEN,
    QUARTERS,
    Bar,
    Counts,
    Item,
    best,
    code_item,
    consequents,
    edges_of,
    few_items,
    frequent,
    number_items,
    telling,
    unlike_chance,
    worth,
)
from conf.selecting import ItemSet, Rule
from models.candidates.rows import Rows

ITEMS = 256  # that are combined: those whose rows are farthest from the label's share
WORD = 8  # bytes of one
Bits = NDArray[np.uint64]
Bools = NDArray[np.bool_]


class Mined(NamedTuple):
    """Rules, frequent item sets, and what a reader should know of how they were found."""

    rules: list[Rule]
    sets: list[ItemSet]
    notes: list[str]


def rules(
    rows: Rows,
    names: Mapping[str, Sequence[str]],
    *,
    support: float,
    bar: Bar = BAR,
    longest: int = LONGEST,
    most: int = MOST,
    label: str = "label",
) -> list[Rule]:
    """Find which categories, and quarters of numbers, go together with the label.

    Args:
        rows: of train.
        names: categorical column -> names of its values, the one with code 3 first; columns that are not named are
            left out.
        support: least share of the rows that has a rule's items and its consequent.
        bar: what a rule must reach beside that.
        longest: items of a rule, at most.
        most: rules, at most.
        label: its name, for people.

    """
    return seek(rows, names, support=support, bar=bar, longest=longest, most=most, label=label).rules


def seek(
    rows: Rows,
    names: Mapping[str, Sequence[str]],
    *,
    support: float,
    bar: Bar = BAR,
    longest: int = LONGEST,
    most: int = MOST,
    label: str = "label",
) -> Mined:
    """Find `rules`, and say what was left out."""
    kinds = rows.columns
    third = float(np.quantile(rows.label, QUARTERS[-1], method="inverted_cdf")) if len(rows) else 0.0
    least = frequent(support, len(rows))
    items, has = _items(rows, names, least)
    made: list[Rule] = []
    notes: list[str] = []
    for then in consequents(kinds.task, label, kinds.classes, third):
        hits = then.holds(rows.label)
        if not least <= hits.sum() < len(rows):
            continue
        telling_first = _chosen(has, hits, least)
        if len(telling_first) > ITEMS:
            notes.append(f"rules about {then.name} combine the {ITEMS} most telling of {len(telling_first)} items")
        chosen = np.sort(telling_first[:ITEMS])
        of = [items[int(i)] for i in chosen]
        found = mine(of, has[chosen], hits, least, longest)
        words, whole = [item.name for item in of], (len(rows), int(hits.sum()))
        made += worth(found, words, then.name, whole, bar)
    sets, more = _together(items, has, len(rows), longest)
    return Mined(best(made, most), sets, [*notes, *more])


def _together(items: Sequence[Item], has: Bits, rows: int, longest: int) -> tuple[list[ItemSet], list[str]]:
    """Find the frequent item sets, of those items first that nearest to half of the rows have; say what is left out."""
    least, counts = frequent(OFTEN, rows), _rows_of(has)
    order = np.argsort(np.abs(counts - rows / 2), kind="stable")
    often = order[counts[order] >= least]
    chosen = np.sort(often[:ITEMS])
    notes = [few_items(len(chosen), len(often))] if len(chosen) < len(often) else []
    found = mine([items[int(i)] for i in chosen], has[chosen], np.ones(rows, np.bool_), least, longest)
    together = {which: both for which, (both, _) in found.items()}
    return unlike_chance(together, [items[int(i)].name for i in chosen], rows), notes


def _items(rows: Rows, names: Mapping[str, Sequence[str]], least: int) -> tuple[list[Item], Bits]:
    """Give every frequent item and, `(items, words)`, which rows have it."""
    items: list[Item] = []
    has: list[Bits] = []

    def add(item: Item | None, its: Bools) -> None:
        if item is not None and its.sum() >= least:
            items.append(item)
            has.append(packed(its))

    for place, name in enumerate(rows.columns.codes):
        codes = rows.codes[:, place]
        counts = np.bincount(codes) if name in names else np.zeros(0, np.int64)
        for code in np.flatnonzero(counts >= least):
            add(code_item(name, int(code), names[name]), codes == code)
    for place, name in enumerate(rows.columns.numbers):
        values = rows.numbers[:, place]
        if len(values):
            edges, level = levels(values)
            for item in number_items(name, edges):
                add(item, level == item.level)
    return items, np.stack(has) if has else np.zeros((0, len(packed(rows.label > 0))), np.uint64)


def levels(values: NDArray[np.float32]) -> tuple[list[float], NDArray[np.int64]]:
    """Cut numbers at their quartiles: the edges, and how many of them are below each number."""
    quarters = [float(each) for each in np.quantile(values, QUARTERS, method="inverted_cdf")]
    edges = edges_of(quarters, float(values.min()), float(values.max()))
    return edges, np.searchsorted(np.asarray(edges), values, side="left")


def _chosen(has: Bits, hits: Bools, least: int) -> NDArray[np.int64]:
    """Give the items that are frequent with the consequent, the most telling first."""
    counts, with_then = _rows_of(has), _rows_of(has & packed(hits))
    order = np.argsort(-telling(counts, with_then, len(hits), int(hits.sum())), kind="stable")
    kept: NDArray[np.int64] = order[with_then[order] >= least]
    return kept


def mine(items: Sequence[Item], has: Bits, hits: Bools, least: int, longest: int) -> dict[tuple[int, ...], Counts]:
    """Count the rows of every set of items that is frequent with the consequent.

    Depth first, a set's rows being the bits that its items share. A set that has the rows of a part of it is not
    extended: no rule with it says more than one without.

    Args:
        items: no two of one column are combined.
        has: `(items, words)`, the rows of each, `packed`.
        hits: `(rows,)` whether a row has the consequent.
        least: rows that have a set's items and the consequent.
        longest: items of a set, at most.

    """
    of_hits = np.stack([packed(_unpacked(each, len(hits))[hits]) for each in has]) if len(has) else has
    column = np.unique([item.column for item in items], return_inverse=True)[1] if items else np.zeros(0, np.int64)
    single = _rows_of(has)
    found: dict[tuple[int, ...], Counts] = {}

    def extend(prefix: tuple[int, ...], rows: Bits, rows_hit: Bits, size: int, later: NDArray[np.int64]) -> None:
        shared = of_hits[later] & rows_hit
        with_then = _rows_of(shared)
        kept = with_then >= least
        later, shared, with_then = later[kept], shared[kept], with_then[kept]
        both = has[later] & rows
        counts = _rows_of(both)
        for place, item in enumerate(later):
            longer = (*prefix, int(item))
            found[longer] = (int(counts[place]), int(with_then[place]))
            free = not prefix or counts[place] < min(size, single[item])
            if free and len(longer) < longest:
                others = later[place + 1 :]
                others = others[column[others] != column[item]]
                if len(others):
                    extend(longer, both[place], shared[place], int(counts[place]), others)

    if len(items):
        full = ~np.zeros(1, np.uint64)
        extend((), full, full, len(hits), np.arange(len(items)))
    return found


def packed(has: Bools) -> Bits:
    """Pack `(..., rows)` truths into `(..., words)` of 64 bits; those past the last row are 0."""
    whole = np.packbits(has, axis=-1)
    padded = np.zeros((*whole.shape[:-1], -(-whole.shape[-1] // WORD) * WORD), np.uint8)
    padded[..., : whole.shape[-1]] = whole
    return padded.view(np.uint64)


def _unpacked(bits: Bits, rows: int) -> Bools:
    return np.unpackbits(bits.view(np.uint8), count=rows).view(np.bool_)


def _rows_of(bits: Bits) -> NDArray[np.int64]:
    counted: NDArray[np.int64] = np.bitwise_count(bits).sum(axis=-1, dtype=np.int64)
    return counted
