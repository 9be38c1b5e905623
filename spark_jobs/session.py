"""One quiet Spark session, wherever Spark runs, that tells how far it is."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import fsspec
from pyspark.sql import DataFrame, SparkSession
from pyspark.storagelevel import StorageLevel

from conf.spark import AnyDriver, AnySpark, ConnectSpark
from spark_jobs.clusters import check_reachable, existing, placed
from spark_jobs.java import java_home
from spark_jobs.partitions import LEAST
from spark_jobs.progress import of_driver, of_server
from spark_jobs.secrets import given

UNPACKED = "spark.franklin.unpacked"
LOGGING = """rootLogger.level = error
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{HH:mm:ss} %p %c{1}: %m%n%ex
# It says when no executor is there, and which ones are lost.
logger.scheduler.name = org.apache.spark.scheduler.TaskSchedulerImpl
logger.scheduler.level = warn
"""
# What rows depend on, and Hadoop's part of it: no .crc beside every file, no _SUCCESS, since a feature set exists when
# its manifest does. A server may have its own idea of each.
SESSION = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.caseSensitive": "true",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # Else an error of a database or a file system says no more than that there was one.
    "spark.sql.pyspark.jvmStacktrace.enabled": "true",
}
HADOOP = {
    "fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
    "mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
}


# PySpark asks for these classes with every function of a column, and Java looks each up in all its jars every time.
LOOKED_UP = (
    "org.apache.spark.sql.functions",
    "org.apache.spark.sql.classic.SparkSession",
    *("functions", "PythonUtils", "PythonSQLUtils"),
)

# What Spark makes of many columns is one huge method, which Java would interpret for ever.
COMPILED = "-XX:-DontCompileHugeMethods"


@contextmanager
def session(spark: AnySpark, shared: str | None = None, *, reports: bool = True) -> Iterator[SparkSession]:
    """Open a Spark session that leaves nothing behind.

    Args:
        spark: Where it runs.
        shared: Folder (any fsspec URL) that this process and all executors see, for what is unpacked to be read by
            them; deleted at the end. None: one of this machine.
        reports: Whether progress is that of Spark's tasks.

    Raises:
        FranklinError: Nothing answers at the cluster's address, a jar is missing, or there is no Java to run it on.

    """
    check_reachable(spark)
    with tempfile.TemporaryDirectory(prefix="franklin-spark-") as scratch:
        opened = (
            _of_server(spark) if isinstance(spark, ConnectSpark) else _of_driver(spark, Path(scratch), reports=reports)
        )
        with opened as active, _unpacked(active, shared or f"{scratch}/unpacked"):
            yield active


@contextmanager
def kept(rows: DataFrame) -> Iterator[DataFrame]:
    """Have rows computed once, and given up at the end: a server would keep them when the session is long gone."""
    rows.persist(StorageLevel.DISK_ONLY)
    try:
        yield rows
    finally:
        rows.unpersist()


@contextmanager
def _of_driver(spark: AnyDriver, scratch: Path, *, reports: bool) -> Iterator[SparkSession]:
    """Start the driver in this process."""
    os.environ["JAVA_HOME"] = str(java_home(scratch / "java"))
    os.environ.pop("SPARK_REMOTE", None)  # it is for spark=connect alone
    logging = scratch / "log4j2.properties"
    logging.write_text(LOGGING, encoding="utf-8")
    conf: dict[str, Any] = {
        "spark.app.name": "franklin",
        "spark.api.mode": "classic",
        "spark.driver.memory": spark.memory,
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={logging.as_uri()} -XX:+UseParallelGC {COMPILED}",
        "spark.executor.extraJavaOptions": COMPILED,
        "spark.jars": ",".join(existing(spark.jars)),
        "spark.local.dir": str(scratch),
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        # Else every function of a column first tells Java which line has called it: three calls more for each.
        "spark.python.sql.dataFrameDebugging.enabled": "false",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": str(spark.shuffle_partitions or LEAST),
        # Rows that are kept go to disk in batches of megabytes; by default, Java holds on to a hundred of them.
        "spark.serializer.objectStreamReset": "1",
        **SESSION,
        **{f"spark.hadoop.{key}": value for key, value in HADOOP.items()},
        **placed(spark),
        **given(spark.conf, "spark.conf"),
    }
    active = SparkSession.builder.config(map=conf).getOrCreate()
    java = active.sparkContext._jvm  # noqa: SLF001 -- there is no other way to it
    for name in LOOKED_UP:
        setattr(java, name, getattr(java, name))
    try:
        with of_driver(active.sparkContext.statusTracker()) if reports else nullcontext():
            yield active
    finally:
        active.stop()


@contextmanager
def _of_server(spark: ConnectSpark) -> Iterator[SparkSession]:
    """Connect to a server. What PySpark's functions make, they make for a server as long as a variable says so."""
    conf: dict[str, Any] = {
        "spark.sql.shuffle.partitions": str(spark.shuffle_partitions or LEAST),
        **SESSION,
        **HADOOP,
        # The server may have a file system of the usual kind in use.
        "fs.file.impl.disable.cache": "true",
        **given(spark.conf, "spark.conf"),
    }
    active = SparkSession.builder.remote(spark.remote).config(map=conf).getOrCreate()
    try:
        active.addArtifacts(*existing(spark.jars))
        with of_server(active):
            yield active
    finally:
        active.stop()
        os.environ.pop("SPARK_CONNECT_MODE_ENABLED", None)


@contextmanager
def _unpacked(active: SparkSession, folder: str) -> Iterator[None]:
    """Say where to unpack, and remove what was."""
    active.conf.set(UNPACKED, folder)
    try:
        yield
    finally:
        system, path = fsspec.core.url_to_fs(folder)
        if system.exists(path):
            system.rm(path, recursive=True)
