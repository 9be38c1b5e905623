"""Association rules about the label by FP-growth (Han, Pei and Yin 2000; in parallel, Li et al. 2008).

MLlib's FP-growth knows no longest set, and with many items that go together it would count for ever. So the items that
tell most of the label are taken as long as all sets of them together are few enough, and the result says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pyspark.ml.fpm import FPGrowth
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

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
from conf.manifest import Manifest
from conf.selecting import ItemSet, Rule
from spark_jobs.dataset import column as exactly

SETS = 200_000  # that FP-growth may find at most
ACCURACY = 1_000_000  # of quartiles: their ranks are exact up to so many rows, and after that to this part of them


class Mined(NamedTuple):
    """Rules, frequent item sets, and what a reader should know of how they were found."""

    rules: list[Rule]
    sets: list[ItemSet]
    notes: list[str]


@dataclass(frozen=True)
class Seen:
    """Every level of every column that enough rows have.

    Attributes:
        items: what they are.
        has: whether a row has it.
        counts: `(items,)` rows that have it.
        with_then: `(items, consequents)` those of them that have the consequent.

    """

    items: list[Item]
    has: list[Column]
    counts: NDArray[np.int64]
    with_then: NDArray[np.int64]


def seek(
    rows: DataFrame,
    manifest: Manifest,
    names: Mapping[str, Sequence[str]],
    *,
    support: float,
    bar: Bar = BAR,
    longest: int = LONGEST,
    most: int = MOST,
) -> Mined:
    """Find which categories, and quarters of numbers, go together with the label.

    Args:
        rows: encoded, of train; kept, since they are read several times.
        manifest: of them.
        names: categorical column -> names of its values: the one with code 3 first; others are left out.
        support: least share of the rows that has a rule's items and its consequent.
        bar: what a rule must reach beside that.
        longest: items of a rule, at most.
        most: rules, at most.

    """
    label, number = exactly(manifest.label.name).cast("double"), manifest.splits["train"].rows
    least = frequent(support, number)
    edges, third = _edges(rows, manifest)
    thens = consequents(manifest.task, manifest.label.name, manifest.label.classes, third)
    holds = [label == then.code if then.above is None else label > then.above for then in thens]
    hits = [int(each) for each in rows.agg(*(F.count_if(each) for each in holds)).head() or ()]
    seen = _seen(rows, names, edges, holds, least)
    made: list[Rule] = []
    notes: list[str] = []
    for place, then in enumerate(thens):
        if not least <= hits[place] < number:
            continue
        whole, with_then = (number, hits[place]), seen.with_then[:, place]
        order = np.argsort(-telling(seen.counts, with_then, *whole), kind="stable")
        kept = _within(seen, order[with_then[order] >= least])
        if len(kept) < (with_then >= least).sum():
            notes.append(
                f"rules about {then.name} combine the {len(kept)} most telling of {(with_then >= least).sum()} items: "
                "FP-growth would find too many sets of more"
            )
        found = _grown(rows, [seen.has[i] for i in kept], holds[place], least=least, number=number, longest=longest)
        words = [seen.items[i].name for i in kept]
        made += worth(found, words, then.name, whole, bar)
    sets, more = _together(rows, seen, number, longest)
    return Mined(best(made, most), sets, [*notes, *more])


def _edges(rows: DataFrame, manifest: Manifest) -> tuple[dict[str, list[float]], float]:
    """Give the edges of each number's levels, and the label's third quartile."""
    names = [*manifest.numeric, manifest.label.name]
    values = [exactly(name).cast("double") for name in names]
    quarters = [F.percentile_approx(each, list(QUARTERS), ACCURACY) for each in values]
    found = rows.agg(F.array(*quarters), F.array(*map(F.min, values)), F.array(*map(F.max, values))).head()
    cuts = [edges_of(*each) for each in zip(*(found or ((), (), ())), strict=True)]
    return dict(zip(manifest.numeric, cuts[:-1], strict=True)), float(found[0][-1][-1]) if found else 0.0


def _seen(
    rows: DataFrame,
    names: Mapping[str, Sequence[str]],
    edges: Mapping[str, list[float]],
    holds: Sequence[Column],
    least: int,
) -> Seen:
    """Count the levels of all columns in one pass."""
    columns = [*names, *edges]
    known = {(item.column, item.level): item for name, cuts in edges.items() for item in number_items(name, cuts)}
    level = [exactly(name) for name in names]
    level += [
        sum((F.when(exactly(name) > cut, 1).otherwise(0) for cut in cuts), F.lit(0)) for name, cuts in edges.items()
    ]
    each = F.posexplode(F.array(*level)).alias("column", "level")
    truths = [of.cast("int").alias(f"then{place}") for place, of in enumerate(holds)]
    counted = (
        rows.select(each, *truths)
        .groupBy("column", "level")
        .agg(
            F.count(F.lit(1)).alias("rows"),
            F.array(*(F.sum(f"then{place}") for place in range(len(holds)))).alias("hits"),
        )
        .where(F.col("rows") >= least)
        .orderBy("column", "level")
        .collect()
    )
    items, has, counts, hits = [], [], [], []
    for place, code, of, with_then in counted:
        name = columns[place]
        item = code_item(name, code, names[name]) if name in names else known.get((name, code))
        if item is not None:
            items.append(item)
            has.append(level[place] == code)
            counts.append(of)
            hits.append(with_then)
    return Seen(items, has, np.asarray(counts, np.int64), np.asarray(hits, np.int64).reshape(len(items), len(holds)))


def _together(rows: DataFrame, seen: Seen, number: int, longest: int) -> tuple[list[ItemSet], list[str]]:
    """Find the frequent item sets, of those items first that nearest to half of the rows have; say what is left out."""
    least = frequent(OFTEN, number)
    order = np.argsort(np.abs(seen.counts - number / 2), kind="stable")
    often = order[seen.counts[order] >= least]
    kept = _within(seen, often)
    notes = [few_items(len(kept), len(often))] if len(kept) < len(often) else []
    if not kept:
        return [], notes
    found = _grown(rows, [seen.has[i] for i in kept], F.expr("true"), least=least, number=number, longest=longest)
    together = {which: both for which, (both, _) in found.items()}
    return unlike_chance(together, [seen.items[i].name for i in kept], number), notes


def _within(seen: Seen, places: NDArray[np.int64]) -> list[int]:
    """Take items in that order as long as no more than `SETS` sets of them, one level of a column each, may be."""
    levels: dict[str, int] = {}
    kept: list[int] = []
    for place in places:
        column = seen.items[place].column
        longer = levels | {column: levels.get(column, 0) + 1}
        if 2 * prod(1 + many for many in longer.values()) > SETS:  # the consequent is one more
            break
        levels = longer
        kept.append(int(place))
    return sorted(kept)


def _grown(
    rows: DataFrame, has: Sequence[Column], holds: Column, *, least: int, number: int, longest: int
) -> dict[tuple[int, ...], Counts]:
    """Count the rows of every set of items that is frequent with the consequent, whose number is that of the items."""
    then = len(has)
    numbered = [F.when(each, F.lit(place)) for place, each in enumerate([*has, holds])]
    baskets = rows.select(F.array_compact(F.array(*numbered)).alias("items"))
    # Half a row less: the least share, times the rows, is rounded up.
    grown = FPGrowth(minSupport=(least - 0.5) / number, minConfidence=1.0).fit(baskets).freqItemsets
    short = grown.where(F.size("items") <= longest + 1).collect()
    counts = {tuple(sorted(items)): int(freq) for items, freq in short}
    return {
        items: (counts[items], counts[(*items, then)])
        for items in counts
        if len(items) <= longest and (*items, then) in counts and then not in items
    }
