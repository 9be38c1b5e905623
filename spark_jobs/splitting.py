"""Which split a row belongs to, and in which order a split's rows lie."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from conf.schema import DateSplit, HashSplit
from spark_jobs.dataset import DATE, KEY, LARGEST, QUARANTINED, ROW, SET_ASIDE, Dataset, column, first_reason

# A row's fate is the name of its split, or one of these two, and then there is a reason.
FATE, REASON = "__fate", "__reason"
QUARANTINE, ASIDE = "quarantine", "aside"
BROKEN = "__broken"
PARTS_PER_MILLION = 1_000_000


def assign(dataset: Dataset, split: DateSplit | HashSplit) -> DataFrame:
    """Give each row a fate and its reason, which depend on nothing but the row.

    Returns:
        Features and label, then `__fate`, `__reason`, `__row` (both null unless set aside or quarantined) and `__key`.

    """
    names = [*dataset.columns, dataset.label]
    checks = {
        f"'{name}' is beyond every 32-bit float": F.abs(column(name)) > LARGEST
        for name, kind in dataset.columns.items()
        if kind == "numeric"
    }
    if isinstance(split, DateSplit):
        checks = {f"no date in '{split.column}'": column(DATE).isNull()} | checks
    where = _by_date(split) if isinstance(split, DateSplit) else _by_hash(split)
    # Step by step, and each reason found once: Spark's planner takes minutes over deeply nested conditions.
    return (
        dataset.rows.withColumn(BROKEN, first_reason(checks))
        .withColumn(BROKEN, F.coalesce(QUARANTINED, BROKEN))
        .select(
            *map(column, names),
            F.when(column(BROKEN).isNotNull(), QUARANTINE)
            .when(column(SET_ASIDE).isNotNull(), ASIDE)
            .otherwise(where)
            .alias(FATE),
            F.coalesce(BROKEN, SET_ASIDE).alias(REASON),
            ROW,
            KEY,
        )
    )


def spread(rows: DataFrame, files: int) -> DataFrame:
    """Deal rows to `files` partitions and order them in each, both by the hash of the row's key.

    So the files are the same whatever partitions Spark had, and a training run repeats to the bit.
    """
    order = F.xxhash64(KEY, F.lit("order"))
    file = F.pmod(order, F.lit(files)).cast("int")
    return rows.repartitionById(files, file).sortWithinPartitions(order)


def _by_date(split: DateSplit) -> Column:
    date = column(DATE)
    return (
        F.when(date < F.lit(split.validation_from), "train")
        .when(date < F.lit(split.test_from), "validation")
        .otherwise("test")
    )


def _by_hash(split: HashSplit) -> Column:
    share = F.pmod(column(KEY), F.lit(PARTS_PER_MILLION)) / PARTS_PER_MILLION
    return (
        F.when(share < split.test, "test").when(share < split.test + split.validation, "validation").otherwise("train")
    )
