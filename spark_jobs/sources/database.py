"""A table of a database, over JDBC."""

from uuid import uuid4

from pyspark.sql import DataFrame, SparkSession

from conf.errors import FranklinError
from spark_jobs.session import UNPACKED
from spark_jobs.sources.far import plain_url
from spark_jobs.sources.faults import SPARK_ERRORS, cause
from spark_jobs.sources.lines import fitting
from spark_jobs.writing import check_seen

# Java finds by itself only drivers that were there when it started, which those in spark.jars are not.
DRIVERS = {
    "postgresql": "org.postgresql.Driver",
    "mysql": "com.mysql.cj.jdbc.Driver",
    "mariadb": "org.mariadb.jdbc.Driver",
    "sqlserver": "com.microsoft.sqlserver.jdbc.SQLServerDriver",
    "oracle": "oracle.jdbc.OracleDriver",
    "db2": "com.ibm.db2.jcc.DB2Driver",
    "sqlite": "org.sqlite.JDBC",
}
NO_DRIVER = ("No suitable driver", "ClassNotFoundException", "Failed to load driver", "CLASS_NOT_FOUND")


def copied(spark: SparkSession, url: str, table: str, options: dict[str, str]) -> DataFrame:
    """Read a table once and return the copy, so that each later look finds the same rows, whatever others write.

    Adds `__unreadable` and `__unfit` (see `lines`), which are null. One query of one connection reads all rows at one
    moment; with the options `partitionColumn`, `lowerBound`, `upperBound` and `numPartitions` it takes several.

    Raises:
        FranklinError: There is no driver, nobody answers, or the database complains; the message has its words.

    """
    copy = f"{spark.conf.get(UNPACKED)}/{uuid4().hex}"
    # A driver may fetch all rows into memory unless told how many at a time.
    ours = {"url": url, "dbtable": table, "fetchsize": "10000"}
    driver = DRIVERS.get(url.split(":")[1])
    if driver:
        ours["driver"] = driver
    try:
        rows = spark.read.format("jdbc").options(**ours | options).load()
        rows.write.parquet(plain_url(copy))
    except SPARK_ERRORS as error:
        raise FranklinError(f"{url} table {table}: {_told(error)}") from None
    check_seen(copy)
    return fitting(spark.read.parquet(plain_url(copy)))


def _told(error: BaseException) -> str:
    if any(words in str(error) for words in NO_DRIVER):
        return "there is no driver for this database; name its jar in spark.jars, and its class in options.driver"
    return f"{cause(error)}; mend `path`, `table` or `options`"
