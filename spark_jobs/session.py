"""One quiet Spark session, and the thread that tells how far it is."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from pyspark import StatusTracker
from pyspark.sql import SparkSession

from conf import schema
from conf.exchange import progress
from spark_jobs.java import java_home

REPORT_SECONDS = 0.5
LOGGING = """rootLogger.level = error
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{HH:mm:ss} %p %c{1}: %m%n%ex
"""


@contextmanager
def session(spark: schema.Spark) -> Iterator[SparkSession]:
    """Open a Spark session that reports its tasks and keeps its scratch files in one folder, deleted at the end.

    Raises:
        FranklinError: There is no Java to run it on.

    """
    with tempfile.TemporaryDirectory(prefix="franklin-spark-") as scratch:
        os.environ["JAVA_HOME"] = str(java_home(Path(scratch) / "java"))
        active = _open(spark, Path(scratch))
        try:
            with _reporter(active.sparkContext.statusTracker()):
                yield active
        finally:
            active.stop()


def _open(spark: schema.Spark, scratch: Path) -> SparkSession:
    logging = scratch / "log4j2.properties"
    logging.write_text(LOGGING, encoding="utf-8")
    conf = {
        "spark.driver.memory": spark.memory,
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={logging.as_uri()} -XX:+UseParallelGC",
        "spark.local.dir": str(scratch),
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": str(spark.shuffle_partitions),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.caseSensitive": "true",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        # No .crc beside every file, no _SUCCESS: a feature set exists when its manifest does.
        "spark.hadoop.fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
        "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
        **spark.conf,
    }
    builder = SparkSession.builder.master(spark.master).appName("franklin")
    for key, value in conf.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


@contextmanager
def _reporter(tracker: StatusTracker) -> Iterator[None]:
    stop = Event()

    def report() -> None:
        while not stop.wait(REPORT_SECONDS):
            done, total = _tasks(tracker)
            progress(done, total, "tasks")

    thread = Thread(target=report, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _tasks(tracker: StatusTracker) -> tuple[int, int]:
    """Count the tasks done and the tasks known; a finished job's skipped stages count in neither."""
    done = total = 0
    for job in tracker.getJobIdsForGroup(None):
        info = tracker.getJobInfo(job)
        stages = [tracker.getStageInfo(stage) for stage in info.stageIds] if info else []
        for stage in stages:
            if info and stage:
                done += stage.numCompletedTasks
                total += stage.numTasks if info.status == "RUNNING" else stage.numCompletedTasks
    return done, total
