"""How many partitions a shuffle has, from the size of the input."""

from collections.abc import Iterable

from pyspark.sql import SparkSession

from conf.manifest import InputFile
from conf.spark import AnySpark

LEAST = 8
PARTITION_BYTES = 48 * 2**20  # of text; with more, a small heap spills too often for its sorts to be merged in it
PACKED = 4  # bytes of text in a byte of a file that is packed, at least
PACKED_ENDINGS = (".gz", ".bz2", ".zip", ".parquet", ".orc")


def deal_by_size(spark: SparkSession, settings: AnySpark, files: Iterable[InputFile]) -> None:
    """Have shuffles deal rows to as many partitions as such an input needs, unless a number was said."""
    if settings.shuffle_partitions is None:
        size = sum((each.bytes or 0) * (PACKED if each.path.endswith(PACKED_ENDINGS) else 1) for each in files)
        spark.conf.set("spark.sql.shuffle.partitions", str(max(LEAST, -(-size // PARTITION_BYTES))))
