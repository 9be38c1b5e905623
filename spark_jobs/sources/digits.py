"""The 1,797 handwritten digits that scikit-learn carries: lines of 64 grey values, row by row, and the digit."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention
from pyspark.sql.types import ArrayType, DoubleType, StringType, StructField, StructType

from conf.data import Data
from conf.errors import FranklinError
from conf.kinds import Kind
from spark_jobs.checks import broken, check_names
from spark_jobs.cleaning import Meaning, clean
from spark_jobs.dataset import Dataset, column, kinds, misread, observed, read_as, require, split_columns
from spark_jobs.sources.far import plain_url
from spark_jobs.sources.lines import fitting
from spark_jobs.sources.locate import digits_file

IMAGE, DIGIT = "image", "digit"
PIXELS = [f"pixel_{i}" for i in range(64)]
ARRAYS = ArrayType(DoubleType())


def digits(spark: SparkSession, data: Data, days: str) -> Dataset:  # noqa: ARG001, it has no folders of days
    """Read the images and what they show.

    Raises:
        FranklinError: The file is missing, or the label, the task or a configured column is not known.

    """
    require(data.label, [DIGIT], "data.label")
    if data.task not in (None, "multiclass"):
        raise FranklinError(f"data.task={data.task} does not fit label '{DIGIT}'; use multiclass")
    columns = kinds(data, {}, [IMAGE], {IMAGE: ARRAYS})
    check_names(data.checks, [IMAGE, DIGIT])
    for name in split_columns(data.split):
        require(name, [DIGIT], "data.split")
    rows, read = observed(_read(spark, digits_file(data.path)), data.checks)
    return Dataset(_clean(rows, columns, data), read, columns, DIGIT, "multiclass", inferred={})


def _read(spark: SparkSession, file: str) -> DataFrame:
    schema = StructType([*(StructField(name, DoubleType()) for name in PIXELS), StructField(DIGIT, StringType())])
    return spark.read.csv(plain_url(file), schema=schema).select(F.array(*PIXELS).alias(IMAGE), DIGIT)


def _clean(rows: DataFrame, columns: dict[str, Kind], data: Data) -> DataFrame:
    wrong = {why: when for name, kind in columns.items() for why, when in misread(name, kind, ARRAYS).items()}
    meaning = Meaning(
        features={name: read_as(column(name), kind, ARRAYS) for name, kind in columns.items()},
        kinds=columns,
        label=column(DIGIT),
        no_example=F.lit("no label"),
        own=[IMAGE, DIGIT],
        rules=wrong | broken(data.checks),
    )
    return clean(fitting(rows), meaning, data)
