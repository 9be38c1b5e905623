"""Numbers, times and tensors of all columns and splits.

Moments are of all columns stacked into one, and aggregated by split and place: Spark's planner and code generator
drown in hundreds of aggregates, one for each column. Sketches and samples are on their own, since either would keep
Spark from compiling the moments: so the three together take half as long as all in one.
"""

from dataclasses import dataclass

import numpy as np
from pyspark.sql import Column as Values
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from conf.kinds import Kind, TensorKind, TextKind, TimeKind
from conf.manifest import SPLITS, SplitName
from spark_jobs.dataset import KEY, column
from spark_jobs.encoding.numbers import rounded, seconds
from spark_jobs.profiling.bins import Floats
from spark_jobs.splitting import FATE, PARTS_PER_MILLION
from spark_jobs.tally import Tally

SAMPLED_VALUES = 2_000_000  # of all columns and splits together, at most about
REGISTERS = 12  # of the sketch that counts distinct values, as a power of two: a standard error of 1.6 %
Place = tuple[SplitName, int]  # a split, and a column's number


@dataclass(frozen=True)
class Moments:
    """Values that are there, and what they are."""

    there: int
    low: float | None
    high: float | None
    mean: float | None
    deviation: float | None


@dataclass(frozen=True)
class Found:
    """A column in one split: its moments, rows sampled, `(values,)` of them sorted, and distinct values of all rows."""

    moments: Moments
    sampled: int
    sample: Floats
    distinct: int


def count_numbers(rows: DataFrame, kinds: dict[str, Kind], tally: Tally) -> dict[tuple[SplitName, str], Found]:
    """Return what is found of each column in each split; of tensors, `there` alone says something.

    Args:
        rows: The rows of the three splits, raw.
        kinds: Kind of each column; none of words.
        tally: How many rows there are.

    """
    if not kinds:
        return {}
    values = [_number(name, kind).alias(f"x{i}") for i, (name, kind) in enumerate(kinds.items())]
    moments = _moments(rows, values)
    shares = {split: min(1.0, SAMPLED_VALUES / len(kinds) / len(SPLITS) / tally.rows(split)) for split in SPLITS}
    samples = _samples(rows, values, shares)
    distinct = _sketched(rows, values) if min(shares.values()) < 1 else {}
    found = {}
    for split in SPLITS:
        for i, name in enumerate(kinds):
            sample = np.sort(samples[split][i][~np.isnan(samples[split][i])])
            count = len(np.unique(sample)) if shares[split] == 1 else distinct[split, i]
            there = moments[split, i].there
            found[split, name] = Found(moments[split, i], len(samples[split][i]), sample, min(count, there))
    return found


def _number(name: str, kind: Kind) -> Values:
    if isinstance(kind, TensorKind | TextKind):
        return F.when(column(name).isNotNull(), F.lit(0.0))
    return seconds(column(name)) if isinstance(kind, TimeKind) else column(name)


def _moments(rows: DataFrame, values: list[Values]) -> dict[Place, Moments]:
    x = F.col("x")
    table = (
        rows.select(FATE, F.posexplode(F.array(*values)).alias("place", "x"))
        .groupBy(FATE, "place")
        .agg(F.count(x), F.min(x), F.max(x), F.avg(x), F.stddev_pop(x))
        .toArrow()
    )
    found: dict[Place, Moments] = {}
    for split, place, there, low, high, *others in zip(*(each.to_pylist() for each in table.columns), strict=True):
        mean, deviation = (None if each is None else rounded(each) for each in others)
        found[split, place] = Moments(there, low, high, mean, deviation)
    return found


def _samples(rows: DataFrame, values: list[Values], shares: dict[SplitName, float]) -> dict[SplitName, list[Floats]]:
    """Return the values of so large a share of each split's rows, chosen by their keys; nan where there is none."""
    place = F.pmod(F.xxhash64(KEY, F.lit("profile")), F.lit(PARTS_PER_MILLION))
    parts = {split: share * PARTS_PER_MILLION for split, share in shares.items()}
    wanted = place < F.element_at(F.create_map(*(F.lit(each) for pair in parts.items() for each in pair)), column(FATE))
    table = rows.where(wanted).select(column(FATE).alias("split"), *values).toArrow()
    splits = table["split"].to_numpy(zero_copy_only=False)
    columns = [table[f"x{i}"].to_numpy().astype(np.float64, copy=False) for i in range(len(values))]
    return {split: [each[splits == split] for each in columns] for split in SPLITS}


def _sketched(rows: DataFrame, values: list[Values]) -> dict[Place, int]:
    """Estimate how many different values there are."""
    named = rows.select(FATE, *values)
    # Hashed first: the sketch takes no doubles.
    hashed = [F.when(F.col(f"x{i}").isNotNull(), F.xxhash64(f"x{i}")) for i in range(len(values))]
    estimates = [F.hll_sketch_estimate(F.hll_sketch_agg(each, REGISTERS)) for each in hashed]
    return {
        (split, i): estimate
        for split, *counts in named.groupBy(FATE).agg(*estimates).collect()
        for i, estimate in enumerate(counts)
    }
