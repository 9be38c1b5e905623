"""The work of `spark_jobs.prepare` on flights, written straight down in Spark: no checks, no counts, no manifest.

    python -m benchmarks.prepare_spark FLIGHTS OUT MEMORY

Joins and features are those of the job itself, so that the two differ in nothing but what the job adds.
"""

import sys
from pathlib import Path

from pyspark.ml.feature import StringIndexer
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from conf.compose import compose
from spark_jobs.session import session
from spark_jobs.sources import flights as job
from spark_jobs.sources.holidays import holiday_distances
from spark_jobs.sources.locate import flights_files


def main(source: str, out: str, memory: str) -> None:
    """Read, join, derive, split by date, standardise, index, write Parquet."""
    settings = compose("flights_delay", [f"spark.memory={memory}"]).spark
    with session(settings) as spark:
        read = spark.read.option("header", "true").option("nullValue", "NA")
        tables = {name: read.csv(file).select(*job.NEEDED[name]) for name, file in flights_files(source).items()}
        kinds = {name: kind.kind for name, (kind, _) in job._features().items()}  # noqa: SLF001, the same features
        values = {name: value for name, (_, value) in job._features().items()}  # noqa: SLF001
        rows = job.join(tables, holiday_distances(spark)).select(
            *(
                values[name].cast("double" if kind == "numeric" else "string").alias(name)
                for name, kind in kinds.items()
            ),
            (F.col("arr_delay").cast("double") > job.LATE_MINUTES).cast("int").alias("late"),
            F.when(F.col("date") < "2013-09-01", "train")
            .when(F.col("date") < "2013-11-01", "validation")
            .otherwise("test")
            .alias("split"),
        )
        rows = rows.where("late is not null").persist()
        train = rows.where("split = 'train'")
        numbers = [name for name, kind in kinds.items() if kind == "numeric"]
        words = [name for name, kind in kinds.items() if kind == "categorical"]
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
        encoded = indexed.select(*scaled, *missing, *codes, "late", "split")
        for split in ("train", "validation", "test"):
            encoded.where(F.col("split") == split).drop("split").write.parquet(f"{out}/{split}", compression="zstd")
        rows.where("split = 'test'").drop("split").write.parquet(f"{out}/holdout", compression="zstd")


if __name__ == "__main__":
    Path(sys.argv[2]).mkdir(parents=True)
    main(*sys.argv[1:])
