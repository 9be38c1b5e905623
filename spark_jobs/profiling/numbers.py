"""Numbers, times and tensors of all columns and splits, in one pass.

All columns are stacked into one, and aggregated by split and place: Spark's planner and code generator drown in
hundreds of aggregates, one for each column.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from pyspark.sql import Column as Values
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from conf.kinds import Kind, TensorKind, TimeKind
from conf.manifest import SPLITS, SplitName
from spark_jobs.dataset import KEY, column
from spark_jobs.encoding.numbers import rounded, seconds
from spark_jobs.profiling.bins import Floats
from spark_jobs.splitting import FATE, PARTS_PER_MILLION
from spark_jobs.tally import Tally

SAMPLED_VALUES = 2_000_000  # of all columns and splits together, at most about
REGISTERS = 12  # of the sketch that counts distinct values, as a power of two: a standard error of 1.6 %
MANY_GROUPS = "spark.sql.objectHashAggregate.sortBased.fallbackThreshold"


@dataclass(frozen=True)
class Found:
    """A column in one split: rows sampled, values that are there, what they are, and `(values,)` sampled, sorted."""

    sampled: int
    there: int
    distinct: int
    low: float | None
    high: float | None
    mean: float | None
    deviation: float | None
    sample: Floats


def count_numbers(rows: DataFrame, kinds: dict[str, Kind], tally: Tally) -> dict[tuple[SplitName, str], Found]:
    """Return what is found of each column in each split; of tensors, `there` alone says something.

    Args:
        rows: The rows of the three splits, raw.
        kinds: Kind of each column; none of words.
        tally: How many rows there are.

    """
    if not kinds:
        return {}
    x, place = F.col("x"), F.pmod(F.xxhash64(KEY, F.lit("profile")), F.lit(PARTS_PER_MILLION))
    parts = {split: _share(tally, split, len(kinds)) * PARTS_PER_MILLION for split in SPLITS}
    wanted = place < F.element_at(F.create_map(*(F.lit(each) for pair in parts.items() for each in pair)), column(FATE))
    grouped = (
        rows.select(
            FATE,
            wanted.alias("wanted"),
            F.posexplode(F.array(*(_number(name, kind) for name, kind in kinds.items()))).alias("place", "x"),
        )
        .groupBy(FATE, "place")
        .agg(
            F.count_if("wanted").alias("sampled"),
            F.count(x).alias("there"),
            # Hashed first: the sketch takes no doubles.
            F.hll_sketch_estimate(F.hll_sketch_agg(F.when(x.isNotNull(), F.xxhash64(x)), REGISTERS)).alias("distinct"),
            F.min(x).alias("low"),
            F.max(x).alias("high"),
            F.avg(x).alias("mean"),
            F.stddev_pop(x).alias("deviation"),
            F.collect_list(F.when(F.col("wanted"), x)).alias("sample"),
        )
    )
    with _many_groups(rows.sparkSession, len(kinds) * len(SPLITS)):
        table = grouped.toArrow()
    names, samples = list(kinds), table["sample"].combine_chunks()
    found = {}
    for i, row in enumerate(table.drop_columns(["sample"]).to_pylist()):
        name = names[row["place"]]
        sample = np.sort(samples[i].values.to_numpy(zero_copy_only=False))
        mean, deviation = (None if row[key] is None else rounded(row[key]) for key in ("mean", "deviation"))
        counts = row["sampled"], row["there"], row["distinct"]
        found[row[FATE], name] = Found(*counts, row["low"], row["high"], mean, deviation, sample)
    return found


def _share(tally: Tally, split: SplitName, columns: int) -> float:
    """Return the share of a split's rows that are sampled, by their keys: 1 if all of them are."""
    return min(1.0, SAMPLED_VALUES / columns / len(SPLITS) / tally.rows(split))


def _number(name: str, kind: Kind) -> Values:
    if isinstance(kind, TensorKind):
        return F.when(column(name).isNotNull(), F.lit(0.0))
    return seconds(column(name)) if isinstance(kind, TimeKind) else column(name)


@contextmanager
def _many_groups(spark: SparkSession, groups: int) -> Iterator[None]:
    """Have so many groups aggregated in memory, a few KB for each; from 128 on Spark would sort all values."""
    before = str(spark.conf.get(MANY_GROUPS))
    spark.conf.set(MANY_GROUPS, str(groups + 1))
    try:
        yield
    finally:
        spark.conf.set(MANY_GROUPS, before)
