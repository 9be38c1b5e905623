"""The work of `spark_jobs.prepare` on flights, written straight down in Spark.

    python -m benchmarks.prepare_spark FLIGHTS OUT MEMORY [--bare]

It makes what the job makes: rows that break a rule apart with their reasons, counts, a profile, encoded splits in an
order of their own and in row groups for ranks to share. `--bare` leaves all of that away: rows are encoded and written
as they come. Joins, features and rules are those of the job itself, so that the two differ in how they work alone.
"""

import argparse
from functools import cache

from pyspark.ml.feature import StringIndexer
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from conf.compose import compose
from spark_jobs.session import session
from spark_jobs.sources import flights as job
from spark_jobs.sources.holidays import holiday_distances
from spark_jobs.sources.locate import flights_files
from spark_jobs.writing import GROUP_ROWS, GROUPS_PER_FILE, QUICK

SPLITS = ("train", "validation", "test")
SHARES = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]
TOP = 50


@cache
def features(kind: str) -> dict[str, Column]:
    """The job's own features of a kind, once there is a session."""
    return {name: value for name, (of, value) in job._features().items() if of.kind == kind}  # noqa: SLF001, the same


def derived(joined: DataFrame) -> DataFrame:
    """Features, label, split, and why a row is none."""
    numbers = [value.cast("double").alias(name) for name, value in features("numeric").items()]
    words = [value.cast("string").alias(name) for name, value in features("categorical").items()]
    reasons = [F.when(bad, F.lit(why)) for why, bad in job._checks().items()]  # noqa: SLF001, the same rules
    raw = F.to_json(F.struct(*job.NEEDED["flights"]))
    return joined.withColumn("bad", F.coalesce(*reasons)).select(
        *numbers,
        *words,
        (F.col("arr_delay").try_cast("double") > job.LATE_MINUTES).cast("int").alias("late"),
        F.when(F.col("date") < "2013-09-01", "train")
        .when(F.col("date") < "2013-11-01", "validation")
        .otherwise("test")
        .alias("split"),
        "bad",
        F.when(F.col("bad").isNotNull(), raw).alias("raw"),
        F.xxhash64(*job.NEEDED["flights"]).alias("key"),
    )


def profile(good: DataFrame) -> None:
    """Counts, extremes, moments, distinct values, quantiles and top values of every column in every split."""
    of = (F.count, F.min, F.max, F.avg, F.stddev_pop, F.approx_count_distinct)
    numbers = list(features("numeric"))
    asked = [f(name).alias(f"{f.__name__}_{name}") for name in numbers for f in of]
    asked += [F.percentile_approx(name, SHARES).alias(f"quantiles_{name}") for name in numbers]
    good.groupBy("split").agg(*asked).collect()
    for word in features("categorical"):
        good.groupBy("split", word).count().orderBy(F.desc("count")).limit(TOP * len(SPLITS)).collect()


def encoded(rows: DataFrame, train: DataFrame) -> DataFrame:
    """Standardised numbers, indicators of missing ones, and codes."""
    numbers, words = list(features("numeric")), list(features("categorical"))
    found = train.agg(*(f(name) for name in numbers for f in (F.avg, F.stddev_pop))).head()
    assert found is not None
    scaled = [
        F.coalesce((F.col(name) - found[2 * i]) / (found[2 * i + 1] or 1.0), F.lit(0.0)).cast("float").alias(name)
        for i, name in enumerate(numbers)
    ]
    missing = [F.col(name).isNull().cast("float").alias(f"{name}__missing") for name in numbers]
    indexer = StringIndexer(inputCols=words, outputCols=[f"{word}_code" for word in words], handleInvalid="keep")
    indexed = indexer.fit(train).transform(rows)
    codes = [F.col(f"{word}_code").cast("int").alias(word) for word in words]
    return indexed.select(*scaled, *missing, *codes, "late", "split", "key")


def write(rows: DataFrame, folder: str, count: int | None) -> None:
    """Write one split; if `count` is said, in an order by hash, in files and row groups of even size."""
    if count is None:
        rows.drop("split", "key").write.parquet(folder, compression=QUICK)
        return
    order = F.xxhash64("key", F.lit("order"))
    files = -(-count // (GROUP_ROWS * GROUPS_PER_FILE))
    dealt = rows.repartition(files, order).sortWithinPartitions(order).drop("split", "key")
    dealt.write.option("parquet.block.row.count.limit", GROUP_ROWS).parquet(folder, compression=QUICK)


def main() -> None:
    """Read, join, derive, split by date, standardise, index, write Parquet."""
    parser = argparse.ArgumentParser()
    parser.add_argument("flights")
    parser.add_argument("out")
    parser.add_argument("memory")
    parser.add_argument("--bare", action="store_true")
    options = parser.parse_args()
    settings = compose("flights_delay", [f"spark.memory={options.memory}"]).spark
    with session(settings) as spark:
        read = spark.read.option("header", "true").option("nullValue", "NA")
        files = flights_files(options.flights)
        tables = {name: read.csv(file).select(*job.NEEDED[name]) for name, file in files.items()}
        rows = derived(job.join(tables, holiday_distances(spark)))
        if options.bare:
            rows = rows.drop("bad", "raw").where("late is not null").persist()
            good, counts = rows, dict.fromkeys(SPLITS)
        else:
            rows = rows.persist()
            told = rows.groupBy("split", "bad", F.isnull("late").alias("aside")).count().collect()
            counts = {
                s: sum(n for split, bad, aside, n in told if split == s and not bad and not aside) for s in SPLITS
            }
            good = rows.where("bad is null and late is not null").drop("bad", "raw")
            profile(good)
            rows.where("bad is not null").select("bad", "raw").coalesce(1).write.parquet(f"{options.out}/quarantine")
        ready = encoded(good, good.where("split = 'train'"))
        for split in SPLITS:
            write(ready.where(F.col("split") == split), f"{options.out}/{split}", counts[split])
        write(good.where("split = 'test'"), f"{options.out}/holdout", counts["test"])


if __name__ == "__main__":
    main()
