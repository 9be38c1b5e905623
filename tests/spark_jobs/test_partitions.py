"""Shuffles have as many partitions as the input needs, unless a number was said."""

import pytest
from pyspark.sql import SparkSession

from conf.manifest import InputFile
from spark_jobs.partitions import LEAST, PARTITION_BYTES, deal_by_size
from tests.spark_jobs.conftest import PARTITIONS, SPARK, restored

pytestmark = pytest.mark.spark


@pytest.mark.parametrize(
    ("said", "files", "expected"),
    [
        (None, {"a.csv": 10}, LEAST),
        (None, {"db table t": None}, LEAST),
        (None, {"a.csv": 99 * PARTITION_BYTES, "b.csv": PARTITION_BYTES + 1}, 101),
        (None, {"a.parquet": 99 * PARTITION_BYTES}, 396),
        (3, {"a.csv": 99 * PARTITION_BYTES}, 2),  # as the session was opened
    ],
)
def test_partitions_follow_the_size(
    said: int | None, files: dict[str, int | None], expected: int, spark: SparkSession
) -> None:
    with restored(spark, PARTITIONS):
        inputs = [InputFile(path=path, bytes=size, version="1") for path, size in files.items()]
        deal_by_size(spark, SPARK.model_copy(update={"shuffle_partitions": said}), inputs)
        assert spark.conf.get(PARTITIONS) == str(expected)
