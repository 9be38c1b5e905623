"""Parquet and ORC files to DataFrames. All files of a table have the same columns of the same types."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import orc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from conf.errors import FranklinError
from conf.places import Format
from spark_jobs.dataset import column
from spark_jobs.sources.far import literal
from spark_jobs.sources.faults import naming
from spark_jobs.sources.lines import fitting
from spark_jobs.sources.storage import LOOKING, PythonStorage, Storage, first_line

NANOSECONDS = "timestamp[ns]"
NAMES = {"large_string": "string", "string_view": "string", "large_binary": "binary", "binary_view": "binary"}
AS_LONG = "spark.sql.legacy.parquet.nanosAsLong"

Types = dict[str, str]
Options = dict[str, str]


def read_columnar(spark: SparkSession, files: list[str], options: Options, storage: Storage, kind: Format) -> DataFrame:
    """Read Parquet or ORC files, plus `__unreadable` and `__unfit` (see `lines`).

    With the option `mergeSchema`, a column that a file lacks is missing there. Times in nanoseconds, which pandas
    writes and Spark does not read, are cut to microseconds where Python sees the files; elsewhere they are refused.

    Raises:
        FranklinError: A file is damaged, or lacks a column of the first one, or has another type for it.

    """
    types, before = _looker(spark, options, storage, kind), spark.conf.get(AS_LONG, "false") or "false"
    spark.conf.set(AS_LONG, "false")
    with ThreadPoolExecutor(LOOKING) as pool:
        found = dict(zip(files, pool.map(types, files), strict=True))
    merged = {name.lower(): value for name, value in options.items()}.get("mergeschema") == "true"
    for file in files[1:]:
        _compare(files[0], found[files[0]], file, found[file], merged=merged)
    nanoseconds = sorted({name for each in found.values() for name, kind in each.items() if kind == NANOSECONDS})
    # Once it is on it stays: a table that was opened before may have yet to be read.
    spark.conf.set(AS_LONG, "true" if nanoseconds else before)
    with naming(files[0], "write its columns as types that Spark has"):
        rows = spark.read.format(kind).options(**options).load([literal(file) for file in files])
    # Whole numbers all the way: a double has no room for nanoseconds since 1970.
    micros = {name: F.timestamp_micros(F.call_function("div", column(name), F.lit(1000))) for name in nanoseconds}
    return fitting(rows.withColumns(micros) if micros and kind == "parquet" else rows)


def _looker(spark: SparkSession, options: Options, storage: Storage, kind: Format) -> Callable[[str], Types]:
    """Return what tells the column types of a file: Arrow, or Spark where only Spark gets to it."""

    def by_arrow(file: str) -> Types:
        with storage.open(file) as opened:
            try:
                schema = pq.read_schema(opened) if kind == "parquet" else orc.ORCFile(opened).schema
            except (pa.ArrowInvalid, OSError) as error:
                name = {"parquet": "Parquet", "orc": "ORC"}[kind]
                raise FranklinError(f"{file} is no readable {name} file ({first_line(error)}); write it anew") from None
        return {field.name: _plain(field.type) for field in schema}

    def by_spark(file: str) -> Types:
        with naming(file, "write it anew"):
            schema = spark.read.format(kind).options(**options).load(literal(file)).schema
        return {field.name: field.dataType.simpleString() for field in schema}

    return by_arrow if isinstance(storage, PythonStorage) else by_spark


def _plain(kind: pa.DataType) -> str:
    """Name a type as it is in the file, whatever Arrow makes of it in memory."""
    types = pa.types
    if types.is_dictionary(kind):
        return _plain(kind.value_type)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return f"list<{_plain(kind.value_type)}>"
    if types.is_struct(kind):
        return f"struct<{', '.join(f'{field.name}: {_plain(field.type)}' for field in kind)}>"
    if types.is_timestamp(kind) and kind.unit != "ns":
        return "timestamp"
    return NAMES.get(str(kind), str(kind))


def _compare(first: str, ours: Types, file: str, theirs: Types, *, merged: bool) -> None:
    for name in [name for name in ours if name in theirs]:
        if ours[name] != theirs[name]:
            raise FranklinError(
                f"{file}: column '{name}' is {theirs[name]}, and {ours[name]} in {first}; write both alike"
            )
    lacking, beyond = ([name for name in a if name not in b] for a, b in ((ours, theirs), (theirs, ours)))
    if merged or not (lacking or beyond):
        return
    lacks, has, name = (file, first, lacking[0]) if lacking else (first, file, beyond[0])
    raise FranklinError(
        f"{lacks} lacks column '{name}' of {has}; write it anew, or say options: {{mergeSchema: true}}, "
        "and it is missing there"
    )
