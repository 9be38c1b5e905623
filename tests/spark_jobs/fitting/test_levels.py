"""Levels of codes, counted in Spark: by rows, the most frequent ones, and ties by their codes."""

from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession

from spark_jobs.fitting import learners
from spark_jobs.fitting.learners import Job, tables_of
from spark_jobs.fitting.rows import POOL, codes_of, read_rows
from tests.feature_sets import write_feature_set

pytestmark = pytest.mark.spark
ROWS = 400


@pytest.mark.parametrize(("least", "most"), [(1, 2), (60, 20_000), (10_000, 20_000)])
def test_levels_are_those_with_enough_rows_and_the_most_frequent_of_these(
    most: int, least: int, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learners, "MOST_LEVELS", most)
    manifest = write_feature_set(tmp_path / "set", "binary", ROWS)
    rows = read_rows(spark, str(tmp_path / "set"), manifest, POOL)
    tied = rows.unionByName(rows)
    tables = tables_of("ridge", tied, Job(manifest, ROWS, {"level_rows": least}, 0))
    codes = tied.select(*codes_of(manifest)).toPandas()
    for name, described, table in zip(codes_of(manifest), manifest.categorical, tables, strict=True):
        counts = np.bincount(codes[name], minlength=described.cardinality)
        often = sorted(np.flatnonzero(counts >= least), key=lambda code: (-counts[code], code))[:most]
        expected = np.zeros(described.cardinality, np.int64)
        expected[np.sort(often).astype(int)] = np.arange(1, len(often) + 1)
        np.testing.assert_array_equal(table, expected)
    assert tables_of("decision_tree", tied, Job(manifest, ROWS, {}, 0)) == []


def test_without_codes_there_are_no_levels(spark: SparkSession, tmp_path: Path) -> None:
    manifest = write_feature_set(tmp_path / "set", "binary", ROWS, categorical=False)
    rows = read_rows(spark, str(tmp_path / "set"), manifest, POOL)
    assert tables_of("ridge", rows, Job(manifest, ROWS, {}, 0)) == []
