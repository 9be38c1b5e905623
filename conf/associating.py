"""What both engines mean by an item, and by a rule about the label that is worth telling."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from conf.columns import MISSING, RARE, RESERVED_CODES
from conf.data import Task
from conf.selecting import ItemSet, Rule

Counts = tuple[int, int]  # rows that have all items, and those of them that have the consequent too
Found = Mapping[tuple[int, ...], Counts]  # rising numbers of items -> counts
QUARTERS = (0.25, 0.5, 0.75)
INDICATOR = "__missing"
SUPPORT, FEWEST_ROWS = 0.01, 20  # of a rule: share of the rows, and rows at least
LONGEST = 3  # items of a rule
GAIN = 1.1  # a rule's confidence over that of each shorter one
CHANCE = 0.05  # that any one of the rules is none
MOST = 30
OFTEN = 0.1  # of the rows: a frequent item set; a pair of quarters that do not depend has less
SMALL = 1e-9  # that a product is above a whole number by rounding


class Item(NamedTuple):
    """What a row may have: a level of a column. A number's levels are counted from its lowest quarter on."""

    column: str
    level: int
    name: str


class Then(NamedTuple):
    """What a rule is about: the label's code; or, of a regression, that it is above `above`."""

    name: str
    code: int
    above: float | None = None

    def holds(self, label: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Say of each row whether it has it."""
        return label == self.code if self.above is None else label > self.above


def consequents(task: Task, label: str, classes: Sequence[str], third: float) -> list[Then]:
    """Say what rules are about: class 1 of two, each class of several, or the highest quarter, above `third`."""
    if task == "regression":
        return [Then(f"{label} in the highest quarter", 1, third)]
    return [Then(f"{label} = {each}", code) for code, each in enumerate(classes) if task != "binary" or code]


def edges_of(quarters: Sequence[float], low: float, high: float) -> list[float]:
    """Give the values above which a number's next level begins: its quartiles, as far as they differ."""
    distinct = sorted({each for each in quarters if each < high})
    return distinct or ([low] if low < high else [])


def number_items(name: str, edges: Sequence[float]) -> list[Item]:
    """Name a number's levels; without edges it is a constant and has none."""
    if name.endswith(INDICATOR):
        return [Item(name, 1, f"{name.removesuffix(INDICATOR)} is missing")] if edges else []
    words = {
        0: [],
        1: ["is low", "is high"],
        2: ["is low", "is middling", "is high"],
        3: [f"in the {which} quarter" for which in ("lowest", "second", "third", "highest")],
    }[len(edges)]
    return [Item(name, level, f"{name} {word}") for level, word in enumerate(words)]


def code_item(name: str, code: int, vocabulary: Sequence[str]) -> Item | None:
    """Name a level of a categorical column; None: it stands for values that train does not have."""
    if code >= RESERVED_CODES:
        return Item(name, code, f"{name} = {vocabulary[code - RESERVED_CODES]}")
    said = {MISSING: "is missing", RARE: "is rare"}
    return Item(name, code, f"{name} {said[code]}") if code in said else None


def telling(counts: NDArray[np.int64], with_then: NDArray[np.int64], rows: int, then: int) -> NDArray[np.float64]:
    """Say how far each item's rows are from the label's share, in standard errors of chance.

    Args:
        counts: `(items,)` rows that have the item.
        with_then: `(items,)` those of them that have the consequent.
        rows: in all.
        then: rows that have the consequent.

    """
    share = then / rows
    spread = np.sqrt(np.maximum(counts * share * (1 - share) * (1 - counts / rows), np.finfo(np.float64).tiny))
    away: NDArray[np.float64] = np.where(counts < rows, np.abs(with_then - counts * share) / spread, 0)
    return away


class Bar(NamedTuple):
    """What a rule must reach.

    Attributes:
        confidence: least share of the rows with the items that has the consequent.
        lift: least ratio of that to the consequent's share of all rows.
        gain: least ratio of a rule's confidence to that of each shorter one, 1 or more.
        chance: that any one of the rules told is none, at most; 1: it is not looked at.

    """

    confidence: float = 0.0
    lift: float = GAIN
    gain: float = GAIN
    chance: float = CHANCE


BAR = Bar()


def worth(found: Found, names: Sequence[str], then: str, whole: Counts, bar: Bar) -> list[Rule]:
    """Tell the rules that add something over each shorter one.

    A rule stays if its confidence is higher than that of every part of its items, `gain` times at least (minimum
    improvement; Bayardo, Agrawal and Gunopulos 1999, section 3, as a ratio), by more than so many tries have by chance
    (Fisher's exact test against each part, Bonferroni over all sets; Webb 2007, sections 3 and 4). Of two items that
    the same rows have, the first stands for both.

    Args:
        found: every frequent set of items with its counts; one that is missing has the rows of one of its parts.
        names: of the items.
        then: name of the consequent.
        whole: rows in all, and those that have the consequent.
        bar: what a rule must reach.

    """
    twins = {
        pair[1]
        for pair, (rows, _) in found.items()
        if len(pair) == 2 and all(found[(i,)][0] == rows for i in pair)  # noqa: PLR2004 -- a pair
    }
    kept: list[Rule] = []
    against: list[list[Counts]] = []
    for items, (rows, hits) in found.items():
        sure, ratio = hits / rows, hits * whole[0] / (rows * whole[1])
        if sure < bar.confidence or ratio < bar.lift or not twins.isdisjoint(items):
            continue
        parts = [part for length in range(1, len(items)) for part in combinations(items, length)]
        shorter = [whole, *(found[part] for part in parts if part in found)]
        if all(hits * n > m * rows and sure >= bar.gain * m / n for n, m in shorter):
            kept.append(
                Rule(when=[names[i] for i in items], then=then, support=hits / whole[0], confidence=sure, lift=ratio)
            )
            against.append([(rows, hits), *shorter])
    if bar.chance >= 1 or not kept:
        return kept
    worst = _worst([[(hits, *part, rows) for part in parts] for (rows, hits), *parts in against])
    return [rule for rule, p in zip(kept, worst, strict=True) if p <= bar.chance / len(found)]


def _worst(tries: Sequence[Sequence[tuple[int, int, int, int]]]) -> list[float]:
    """Give the largest p-value of each one's tries by Fisher's exact test.

    A try is the rows that have both of two things, rows in all, and those that have the one and the other.
    """
    from scipy.stats import hypergeom

    both, rows, one, other = np.asarray([each for of in tries for each in of], np.int64).T
    p = hypergeom.sf(both - 1, rows, one, other)
    starts = np.cumsum([0, *(len(of) for of in tries[:-1])])
    return [float(each) for each in np.maximum.reduceat(p, starts)]


def best(rules: Sequence[Rule], most: int) -> list[Rule]:
    """Give those of the highest lift, then support, then fewest words."""
    return sorted(rules, key=lambda each: (-each.lift, -each.support, len(each.when), each.when, each.then))[:most]


def unlike_chance(found: Mapping[tuple[int, ...], int], names: Sequence[str], rows: int) -> list[ItemSet]:
    """Tell the frequent item sets that chance would not make, those first whose share exceeds chance by most.

    A set is told if any two parts of it have `GAIN` times as many rows together as if they did not depend on each
    other, and more than so many tries have by chance (productive item sets; Webb 2010, section 3; Fisher's exact test,
    Bonferroni over all that are looked at). Of three items and more, none is looked at with a part that has the rows of
    a part of its own: it repeats what a smaller one says.

    Args:
        found: rows of every frequent set, single items among them; one that is missing has the rows of a part of it.
        names: of the items.
        rows: in all.

    """
    tried, told = 0, list[tuple[float, float, tuple[int, ...]]]()
    tries: list[list[tuple[int, int, int, int]]] = []
    for items, together in found.items():
        if len(items) == 1 or not all(_free(part, found) for part in combinations(items, len(items) - 1)):
            continue
        tried += 1
        halves = [part for length in range(1, len(items) // 2 + 1) for part in combinations(items, length)]
        parts = [(found[half], found[tuple(item for item in items if item not in half)]) for half in halves]
        chance = max(one * other for one, other in parts) / rows
        if together >= GAIN * chance:
            told.append((chance - together, together / chance, items))
            tries.append([(together, rows, one, other) for one, other in parts])
    if not told:
        return []
    kept = sorted(each for each, p in zip(told, _worst(tries), strict=True) if p <= CHANCE / tried)
    return [
        ItemSet(items=[names[i] for i in items], support=found[items] / rows, lift=lift)
        for _, lift, items in kept[:MOST]
    ]


def few_items(kept: int, of: int) -> str:
    """Say that not all items were combined, since their sets would be too many."""
    return f"frequent item sets are of {kept} of {of} items, those that nearest to half of the rows have"


def _free(items: tuple[int, ...], found: Mapping[tuple[int, ...], int]) -> bool:
    """Whether a set has fewer rows than each of its parts; a single item has none."""
    parts = combinations(items, len(items) - 1) if len(items) > 1 else ()
    return items in found and all(part in found and found[items] < found[part] for part in parts)


def support_of(rows: int) -> float:
    """Give the least share of the rows that a rule has to hold for."""
    return min(1.0, max(SUPPORT, FEWEST_ROWS / max(rows, 1)))


def frequent(support: float, rows: int) -> int:
    """Give the least number of rows with that share of them."""
    return max(1, int(np.ceil(support * rows - SMALL)))
