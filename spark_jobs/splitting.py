"""Which split a row belongs to, in which order a split's rows lie, and which day or group each is of."""

from typing import Literal

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from conf.manifest import WHERE
from conf.splits import AnySplit, DateSplit, FoldSplit, GroupSplit, StratifiedSplit
from spark_jobs.dataset import (
    DATE,
    KEY,
    QUARANTINED,
    ROW,
    SET_ASIDE,
    SIDE,
    STRATUM,
    Dataset,
    column,
)

# A row's fate is the name of its split, or one of these two, and then there is a reason.
FATE, REASON = "__fate", "__reason"
QUARANTINE, ASIDE = "quarantine", "aside"
PARTS_PER_MILLION = 1_000_000
GROUP_BITS = 31  # of a group's hash: it is a whole number of four bytes that is not negative
BUCKET_BITS = 12  # a stratum's rows are ordered in so many parts (as a power of two), side by side


def belongs(split: AnySplit, day: str | None) -> Literal["day", "group"] | None:
    """Tell what rows belong to, beside their split: the group that stays together, else the day, if one is known."""
    if isinstance(split, GroupSplit | FoldSplit) and split.column:
        return "group"
    return "day" if day or isinstance(split, DateSplit) else None


def assign(dataset: Dataset, split: AnySplit) -> DataFrame:
    """Give each row a fate and its reason. Unless the split is stratified they depend on nothing but the row.

    Returns:
        Features and label, then `__fate`, `__reason`, `__row` (both null unless set aside or quarantined), `__key`,
        `__side`, and `__where`: the hash of the row's group if it has one, else its day since 1970-01-01 (0 if nobody
        knows it).

    """
    names = dict.fromkeys([*dataset.columns, dataset.label])
    rows = dataset.rows
    if isinstance(split, StratifiedSplit):
        rows, where = _by_stratum(rows, split)
    elif isinstance(split, DateSplit):
        where = _by_date(split)
    elif isinstance(split, FoldSplit):
        where = _by_fold(split)
    else:
        where = _by_share(_share(), split.validation, split.test)
    return rows.select(
        *map(column, names),
        F.when(column(QUARANTINED).isNotNull(), QUARANTINE)
        .when(column(SET_ASIDE).isNotNull(), ASIDE)
        .otherwise(where)
        .alias(FATE),
        F.coalesce(QUARANTINED, SET_ASIDE).alias(REASON),
        ROW,
        KEY,
        SIDE,
        _where(split).alias(WHERE),
    )


def spread(rows: DataFrame, files: int) -> DataFrame:
    """Deal rows to `files` partitions and order them in each, both by the hash of the row's key.

    So the files are the same whatever partitions Spark had, and a training run repeats to the bit.
    """
    order = F.xxhash64(KEY, F.lit("order"))
    file = F.pmod(order, F.lit(files)).cast("int")
    return rows.repartitionById(files, file).sortWithinPartitions(order)


def _where(split: AnySplit) -> Column:
    if belongs(split, None) == "group":
        return F.shiftrightunsigned(F.xxhash64(SIDE, F.lit("where")), 64 - GROUP_BITS).cast("int")
    return F.coalesce(F.unix_date(DATE), F.lit(0))


def _by_date(split: DateSplit) -> Column:
    date = column(DATE)
    return (
        F.when(date < F.lit(split.validation_from), "train")
        .when(date < F.lit(split.test_from), "validation")
        .otherwise("test")
    )


def _by_share(share: Column, validation: Column | float, test: Column | float) -> Column:
    return F.when(share < test, "test").when(share < test + validation, "validation").otherwise("train")


def _by_fold(split: FoldSplit) -> Column:
    fold = F.pmod(F.xxhash64(SIDE, F.lit("fold of the split")), F.lit(split.folds))
    return F.when(_share() < split.test, "test").when(fold == split.fold, "validation").otherwise("train")


def _share() -> Column:
    return F.pmod(column(SIDE), F.lit(PARTS_PER_MILLION)) / PARTS_PER_MILLION


def _by_stratum(rows: DataFrame, split: StratifiedSplit) -> tuple[DataFrame, Column]:
    """Number the rows of each stratum by their hash, and deal them by number.

    A row's number is that in its part of the hashes, plus the rows of the parts before: no stratum passes through one
    task.
    """
    rows = rows.withColumn("__part", F.shiftrightunsigned(SIDE, 64 - BUCKET_BITS)).withColumn(
        "__good", column(QUARANTINED).isNull() & column(SET_ASIDE).isNull()
    )
    keys = [STRATUM, "__part", "__good"]
    in_order = Window.partitionBy(STRATUM, "__good").orderBy("__part")
    counted = (
        rows.groupBy(*keys)
        .count()
        .withColumn("__before", F.sum("count").over(in_order) - F.col("count"))
        .withColumn("__all", F.sum("count").over(Window.partitionBy(STRATUM, "__good")))
        .select(
            F.col(STRATUM).alias("__s"), F.col("__part").alias("__p"), F.col("__good").alias("__g"), "__before", "__all"
        )
    )
    same = (
        F.col(STRATUM).eqNullSafe(F.col("__s")) & (F.col("__part") == F.col("__p")) & (F.col("__good") == F.col("__g"))
    )
    place = F.row_number().over(Window.partitionBy(*keys).orderBy(SIDE)) - 1 + F.col("__before")
    numbered = rows.join(F.broadcast(counted), same).withColumn("__place", place)
    test, validation = (F.rint(F.col("__all") * share) for share in (split.test, split.validation))
    return numbered, _by_share(F.col("__place"), validation, test)
