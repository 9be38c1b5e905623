"""JSON lines to DataFrames: one object a line, every key a column, in alphabetical order."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention
from pyspark.sql.types import StringType, StructField, StructType

from conf.errors import FranklinError
from spark_jobs.dataset import column
from spark_jobs.sources.far import literal
from spark_jobs.sources.faults import naming, naming_damage
from spark_jobs.sources.lines import UNFIT, UNREADABLE


def read_json(spark: SparkSession, files: list[str], options: dict[str, str]) -> DataFrame:
    """Read JSON lines, plus `__unreadable` and `__unfit` (see `lines`).

    A value has the type that fits all lines: a key with numbers here and words there is a string. Types are found in a
    pass of their own over all lines.

    Raises:
        FranklinError: No line is an object, or one has a key twice.

    """
    ours = {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": UNREADABLE}
    reader = spark.read.options(**ours).options(**options)
    paths = [literal(file) for file in files]
    with naming_damage(), naming(files[0], "each line must be one object that has each key once"):
        found = [field for field in reader.json(paths).schema if field.name != UNREADABLE]
    if not found:
        raise FranklinError(
            f"{files[0]}: no line is a JSON object; write one object a line, or say options: {{multiLine: true}} "
            "of a file that is one document"
        )
    rows = reader.schema(StructType([*found, StructField(UNREADABLE, StringType())])).json(paths)
    return rows.withColumn(UNFIT, F.when(column(UNREADABLE).isNotNull(), "line is no JSON object"))
