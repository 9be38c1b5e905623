"""Files to DataFrames. Every value of a CSV file arrives as a string; what it means is the source's to say."""

import csv
import io
import re
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from py4j.protocol import Py4JJavaError  # type: ignore[import-untyped]  # it has no types
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StringType, StructField, StructType

from conf.errors import FranklinError

UNREADABLE = "__unreadable"
HEADER_BYTES = 1 << 20
DELIMITERS = ",;\t|"


def read_csv(spark: SparkSession, files: list[str], null: str = "", *, multi_line: bool = False) -> DataFrame:
    """Read CSV files with one header as strings, plus `__unreadable`: the line, where it does not fit the header.

    Args:
        spark: The session.
        files: Paths; a `.zip` holds one CSV file and is unpacked into the session's scratch folder.
        null: What stands for a missing value.
        multi_line: Whether quoted values may have line breaks; one task then reads a whole file.

    Raises:
        FranklinError: A file has no header, repeats a name in it, is not UTF-8, or differs from the first one's.

    """
    local = [_unpacked(spark, file) if file.endswith(".zip") else file for file in files]
    header, delimiter = _header(local[0])
    for file in local[1:]:
        if _header(file) != (header, delimiter):
            raise FranklinError(f"{file} has another header than {local[0]}; give both the same columns in one order")
    schema = StructType([StructField(name, StringType()) for name in (*header, UNREADABLE)])
    # Without pruning every field of a line is looked at, so a line that does not fit is always noticed.
    return spark.read.option("columnPruning", "false").csv(
        _literal(local),
        schema=schema,
        sep=delimiter,
        header=True,
        multiLine=multi_line,
        quote='"',
        escape='"',
        nullValue=null,
        ignoreLeadingWhiteSpace=True,
        ignoreTrailingWhiteSpace=True,
        mode="PERMISSIVE",
        columnNameOfCorruptRecord=UNREADABLE,
    )


def read_parquet(spark: SparkSession, files: list[str], folder: str) -> DataFrame:
    """Read Parquet files; names of partition folders below `folder` become columns.

    Raises:
        FranklinError: A file is no Parquet file, or the end of it is damaged.

    """
    for file in files:
        with fsspec.open(file, "rb") as opened:
            try:
                pq.read_metadata(opened)
            except (pa.ArrowInvalid, OSError) as error:
                raise FranklinError(
                    f"{file} is no readable Parquet file ({_first_line(error)}); write it anew"
                ) from None
    # Spark wants a folder as base; a single file has its own.
    base = {} if files == [folder] else {"basePath": folder}
    return spark.read.options(**base).parquet(*_literal(files))


@contextmanager
def naming_damage() -> Iterator[None]:
    """Name the file that Spark found damaged in the middle.

    Raises:
        FranklinError: Instead of Spark's FAILED_READ_FILE.

    """
    try:
        yield
    except (PySparkException, Py4JJavaError) as error:
        found = re.search(r"\[FAILED_READ_FILE\S*\] .* file (\S+?)\.?\s+SQLSTATE", str(error))
        if found is None:
            raise
        raise FranklinError(f"{found[1]} is damaged, Spark cannot read it to its end; write it anew") from None


def _unpacked(spark: SparkSession, file: str) -> str:
    """Unpack: Spark has no reader for zip, which cannot be split between tasks anyway."""
    target = Path(str(spark.conf.get("spark.local.dir"))) / Path(file).stem
    with fsspec.open(file, "rb") as opened:
        try:
            with zipfile.ZipFile(opened) as archive, archive.open(target.name) as packed, target.open("wb") as plain:
                shutil.copyfileobj(packed, plain)
        except (zipfile.BadZipFile, KeyError) as error:
            raise FranklinError(f"{file} must be a zip file with {target.name} in it ({_first_line(error)})") from None
    return f"file://{target}"  # as_uri would write % codes, which neither fsspec nor Spark reads


def _literal(files: list[str]) -> list[str]:
    """Escape what Spark would take for a pattern."""
    return [re.sub(r"[][{}*?\\]", r"\\\g<0>", file) for file in files]


def _header(file: str) -> tuple[list[str], str]:
    with fsspec.open(file, "rb") as opened:
        start: bytes = opened.readline(HEADER_BYTES)
    try:
        line = start.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise FranklinError(f"{file} is no readable CSV file: its first line is not UTF-8; save it as UTF-8") from None
    if any(character < " " and character != "\t" for character in line):
        raise FranklinError(f"{file} is no CSV file, by its first line; save it as CSV or Parquet")
    if not line.strip():
        raise FranklinError(f"{file} has no header and no rows; its first line must name the columns")
    delimiter = max(DELIMITERS, key=line.count)
    header = next(csv.reader(io.StringIO(line), delimiter=delimiter, skipinitialspace=True))
    if "" in header:
        raise FranklinError(f"{file}: column {header.index('') + 1} has no name; the header must name each column")
    if repeated := sorted({name for name in header if header.count(name) > 1}):
        raise FranklinError(f"{file}: the header names '{repeated[0]}' more than once; give each column its own name")
    return header, delimiter


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0]
