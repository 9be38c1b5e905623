"""One table to rows, whatever its format and wherever it is."""

from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention
from pyspark.sql.types import StructType

from conf.errors import FranklinError
from conf.places import Format, Place
from spark_jobs.dataset import column
from spark_jobs.secrets import given
from spark_jobs.sources.columnar import read_columnar
from spark_jobs.sources.database import copied
from spark_jobs.sources.delimited import read_csv
from spark_jobs.sources.far import SparkStorage, plain_url
from spark_jobs.sources.json_lines import read_json
from spark_jobs.sources.lines import NO_VALUE, names
from spark_jobs.sources.locate import said, table_files
from spark_jobs.sources.storage import PythonStorage, Storage


@dataclass(frozen=True)
class Table:
    """The files of one place, and who sees them."""

    path: str
    files: list[str]
    format: Format
    options: dict[str, str]
    storage: Storage


def located(spark: SparkSession, place: Place) -> Table:
    """Find the files of a place: those of this machine as Python sees them, all others as Spark does.

    Raises:
        FranklinError: There is nothing, or a variable of the environment is not set.

    """
    path, options = said(place), given(place.options)
    storage = storage_of(spark, place, options)
    files, kind = table_files(path, place.format, storage.find(path))
    return Table(path, files, kind, options, storage)


def storage_of(spark: SparkSession, place: Place, options: dict[str, str]) -> Storage:
    """Return who is to see the files of a place."""
    return PythonStorage(place.path or "") if place.local else SparkStorage(spark, options)


def read(spark: SparkSession, place: Place) -> DataFrame:
    """Read a table: its columns, `__unreadable` and `__unfit` (see `lines`).

    Raises:
        FranklinError: It is missing or not usable; the message names it.

    """
    if place.of_database:
        return _flat(copied(spark, said(place), place.table or "", given(place.options)), said(place))
    table = located(spark, place)
    return read_files(spark, table, table.files)


def read_files(spark: SparkSession, table: Table, files: list[str]) -> DataFrame:
    """Read some files of a table; names of folders such as `part=1` below its path become columns.

    Raises:
        FranklinError: One is damaged, or does not fit the others; the message names it.

    """
    # Spark wants a folder as base; a single file has its own, and so has what is unpacked.
    base = {} if files == [table.path] or files[0].endswith(".zip") else {"basePath": plain_url(table.path)}
    options = table.options | base
    if table.format == "csv":
        rows = read_csv(spark, files, options, table.storage, multi_line=True)
        missing = {name: F.when(~F.lower(column(name)).isin(*NO_VALUE), column(name)) for name in names(rows)}
        return rows.withColumns(missing)
    if table.format == "jsonl":
        rows = read_json(spark, files, options)
    else:
        rows = read_columnar(spark, files, options, table.storage, table.format)
    return _flat(rows, table.path)


def _flat(rows: DataFrame, where: str) -> DataFrame:
    """Make columns `a.b` of structs.

    Raises:
        FranklinError: There is a column of that name already.

    """
    fields = rows.schema.fields
    if not any(isinstance(field.dataType, StructType) for field in fields):
        return rows
    chosen = [
        (f"{field.name}.{inner}", column(field.name).getField(inner)) if inner else (field.name, column(field.name))
        for field in fields
        for inner in (field.dataType.names if isinstance(field.dataType, StructType) else [None])
    ]
    made = [name for name, _ in chosen]
    if repeated := sorted({name for name in made if made.count(name) > 1}):
        raise FranklinError(f"{where}: '{repeated[0]}' is a column, and a field of another one; rename one of them")
    return _flat(rows.select(*(values.alias(name) for name, values in chosen)), where)
