"""Rows of a feature set in Spark, numbered as a contest numbers them: in the order of files, and of rows in each."""

from itertools import accumulate
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from conf.errors import FranklinError
from conf.manifest import WHERE, Manifest, SplitName
from spark_jobs.dataset import column
from spark_jobs.sources.far import plain_url

PLACE, LABEL = "place", "label"
POOL: tuple[SplitName, ...] = ("train", "validation")
TEST: tuple[SplitName, ...] = ("test",)


def numbers_of(manifest: Manifest) -> list[str]:
    """Name the columns of numbers as they are called here: names of features may have any characters."""
    return [f"n{i}" for i in range(len(manifest.numeric))]


def codes_of(manifest: Manifest) -> list[str]:
    """Name the columns of codes as they are called here."""
    return [f"c{i}" for i in range(len(manifest.categorical))]


def read_rows(spark: SparkSession, folder: str, manifest: Manifest, splits: tuple[SplitName, ...]) -> DataFrame:
    """Read splits.

    Returns:
        `place`, the row's number; `n0`, `n1`, ..., numbers (double); `c0`, `c1`, ..., codes (int); `label` (double);
        `__where`, if the feature set has it.

    Raises:
        FranklinError: It has tensors, which Spark's learners do not take.

    """
    if manifest.tensors:
        raise FranklinError(f"{manifest.name} has tensors, which no candidate takes in Spark; say contest.engine=local")
    files = [file for split in splits for file in manifest.splits[split].files]
    starts = pd.DataFrame(
        {
            "file": [file.path for file in files],
            "start": list(accumulate((file.rows for file in files), initial=0))[: len(files)],
        }
    )
    rows = spark.read.parquet(*(plain_url(f"{folder}/{file.path}") for file in files))
    named = [
        column(name).cast("double").alias(called)
        for name, called in zip(manifest.numeric, numbers_of(manifest), strict=True)
    ]
    coded = [column(c.name).alias(called) for c, called in zip(manifest.categorical, codes_of(manifest), strict=True)]
    where = [column(WHERE)] if manifest.where else []
    here = F.substring_index("_metadata.file_path", "/", -2)
    told = rows.select(
        here.alias("file"),
        F.col("_metadata.row_index").alias("row"),
        *named,
        *coded,
        column(manifest.label.name).cast("double").alias(LABEL),
        *where,
    )
    placed = told.join(F.broadcast(spark.createDataFrame(starts)), "file")
    return placed.withColumn(PLACE, F.col("row") + F.col("start")).drop("file", "row", "start")


def taken(rows: DataFrame, places: Path) -> DataFrame:
    """Take the rows whose numbers are in an `.npy` file; none may be there twice."""
    wanted = rows.sparkSession.createDataFrame(pd.DataFrame({PLACE: np.load(places)}))
    return rows.join(wanted, PLACE)


def in_order(scored: pd.DataFrame, places: NDArray[np.int64]) -> pd.DataFrame:
    """Order rows, which have `place`, as `places` are.

    Raises:
        RuntimeError: One is missing or there twice, which is a defect.

    """
    if len(scored) != len(places) or not scored[PLACE].is_unique:
        raise RuntimeError(f"{len(places)} rows were to be scored, and {len(scored)} were")
    return scored.set_index(PLACE).loc[places]
