"""What Spark sees of files, by the Hadoop file systems and keys that it reads them with."""

import io
import re
from pathlib import Path
from typing import IO

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from conf.errors import FranklinError
from conf.manifest import InputFile
from conf.places import is_url
from spark_jobs.sources.faults import naming

WAY_OUT = "a file system that Spark does not have comes with spark.jars or spark.conf"


class SparkStorage:
    """Files as Spark sees them, wherever its executors are."""

    def __init__(self, spark: SparkSession, options: dict[str, str]) -> None:
        """See through a session, with the options of the reader."""
        self.spark, self.options = spark, options
        self._found: dict[str, InputFile] = {}

    def find(self, path: str, *, deep: bool = True) -> list[str]:
        """List files, hidden ones left out.

        Raises:
            FranklinError: There is nothing, or Spark cannot get there.

        """
        with naming(path, WAY_OUT):
            found = self._files(path, deep=deep).select("path", "length", "modificationTime").collect()
        if not found:
            raise FranklinError(f"{path} holds no file; name another folder")
        for file in found:
            version = file.modificationTime.isoformat()
            self._found[file.path] = InputFile(path=file.path, bytes=file.length, version=version)
        return sorted(self._found)

    def identify(self, file: str) -> InputFile:
        """Tell what was said of a file when it was found."""
        return self._found[file]

    def open(self, file: str) -> IO[bytes]:
        """Read a file whole."""
        with naming(file, WAY_OUT):
            return io.BytesIO(self._files(file).select("content").collect()[0].content)

    def first_line(self, file: str) -> bytes:
        """Read the first line of a text file, unpacked, as its bytes; none if it is empty."""
        with naming(file, WAY_OUT):
            lines = self.spark.read.options(**self.options).text(literal(file)).select(F.col("value").cast("binary"))
            return b"".join(bytes(row[0]) for row in lines.head(1))

    def last_line(self, file: str) -> bytes:
        """Read the last line of a text file that is not blank, unpacked, as its bytes; none if it is empty."""
        with naming(file, WAY_OUT):
            lines = self.spark.read.options(**self.options).text(literal(file)).where(F.trim("value") != "")
            return b"".join(bytes(row[0]) for row in lines.select(F.col("value").cast("binary")).tail(1))

    def _files(self, path: str, *, deep: bool = True) -> DataFrame:
        reader = self.spark.read.format("binaryFile").options(**self.options)
        return reader.option("recursiveFileLookup", deep).load(literal(path))


def literal(path: str) -> str:
    """Escape what Spark would take for a pattern, and say of a plain path that it is one."""
    return re.sub(r"[][{}*?\\]", r"\\\g<0>", plain_url(path))


def plain_url(path: str) -> str:
    """Say of a plain path that it is one: the default file system of a cluster may be another."""
    # as_uri would write % codes, which neither fsspec nor Spark reads
    return path if is_url(path) else f"file://{Path(path).absolute()}"
