"""How far Spark is: its tasks, as a driver in this process knows them or as a server tells."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from pyspark import StatusTracker
from pyspark.sql import SparkSession

from conf.exchange import progress

REPORT_SECONDS = 0.5
PATIENT_REPORTS = 20  # without a task at work, before that is told
WAITING = "no executor has room for a task"


@contextmanager
def of_driver(tracker: StatusTracker) -> Iterator[None]:
    """Report from a thread, until the block ends."""
    stop = Event()

    def report() -> None:
        idle = 0
        while not stop.wait(REPORT_SECONDS):
            done, total, active = _tasks(tracker)
            idle = idle + 1 if done < total and not active else 0
            progress(done, total, "tasks", WAITING if idle > PATIENT_REPORTS else "")

    thread = Thread(target=report, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def of_server(spark: SparkSession) -> Iterator[None]:
    """Report whenever the server does, until the block ends."""
    tasks: dict[str, tuple[int, int]] = {}

    def report(stages: Any, operation_id: str | None, done: bool, **_: Any) -> None:
        if operation_id and stages:
            completed = sum(stage.num_completed_tasks for stage in stages)
            # What is left of a finished operation was skipped.
            tasks[operation_id] = (completed, completed if done else sum(stage.num_tasks for stage in stages))
            progress(sum(c for c, _ in tasks.values()), sum(total for _, total in tasks.values()), "tasks")

    handler: Any = report  # it is called, whatever its type
    spark.registerProgressHandler(handler)
    try:
        yield
    finally:
        spark.removeProgressHandler(handler)


def _tasks(tracker: StatusTracker) -> tuple[int, int, int]:
    """Count the tasks done, known and at work; a finished job's skipped stages count in none."""
    done = total = active = 0
    for job in tracker.getJobIdsForGroup(None):
        info = tracker.getJobInfo(job)
        stages = [tracker.getStageInfo(stage) for stage in info.stageIds] if info else []
        for stage in stages:
            if info and stage:
                done += stage.numCompletedTasks
                total += stage.numTasks if info.status == "RUNNING" else stage.numCompletedTasks
                active += stage.numActiveTasks
    return done, total, active
