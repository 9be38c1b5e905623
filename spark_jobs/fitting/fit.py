"""One fit of a contest in Spark."""

import os
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from uuid import uuid4

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.ml import PipelineModel
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention
from pyspark.sql.utils import is_remote

from conf.contests import CandidateName
from conf.errors import FranklinError
from conf.manifest import Manifest, read_manifest
from conf.selecting import ContestRequest, Fit, FitTask
from spark_jobs.fitting import arrays, constants
from spark_jobs.fitting.learners import BOOSTED, LEARNERS, STOPS, Job, pipeline, rounds_of, tables_of
from spark_jobs.fitting.measuring import Taken, measured
from spark_jobs.fitting.rows import PLACE, POOL, TEST, in_order, read_rows, taken
from spark_jobs.session import kept
from spark_jobs.sources.faults import cause

CHARACTERS = 300  # of what failed, at most
AGAIN_SECONDS = 0.2
WARM_ROWS, WARM_SECONDS = 200, 120.0
WARM: tuple[CandidateName, ...] = ("linear_regression", "xgboost")
ROUNDS_OF_FEW = 50  # of boosting, where there are too few rows to hold some out


@dataclass
class Fits:
    """A session, and the rows of a contest."""

    spark: SparkSession
    request: ContestRequest
    _warm: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        """Have XGBoost's workers run this Python, unless another is named: Spark would take any that it finds."""
        if not is_remote():
            self.spark.sparkContext.pythonExec = os.environ.get("PYSPARK_PYTHON", sys.executable)

    @cached_property
    def manifest(self) -> Manifest:
        """That of the feature set."""
        return read_manifest(self.request.feature_set)

    @cached_property
    def pool(self) -> DataFrame:
        """Rows of train, then of validation."""
        return read_rows(self.spark, self.request.feature_set, self.manifest, POOL)

    @cached_property
    def test(self) -> DataFrame:
        """Rows of test."""
        return read_rows(self.spark, self.request.feature_set, self.manifest, TEST)

    def do(self, task: FitTask) -> Fit:
        """Fit, score and save. What fails is a result; metrics are for who has the labels at hand."""
        failure, overdue, taken_up = None, threading.Event(), Taken()
        try:
            self._warm_up()
            with measured() as taken_up, _in_time(self.spark, task.timeout_seconds, overdue):
                self._do(task)
        except FranklinError as error:
            failure = str(error)
        except Exception as error:  # noqa: BLE001, whatever ends a candidate is a result
            failure = f"{type(error).__name__}: {cause(error)}"
            if not overdue.is_set():
                traceback.print_exc()
        if overdue.is_set():
            failure = f"it took longer than {task.timeout_seconds:.3g} seconds"
        return _told(task, taken_up, failure and " ".join(failure.split())[:CHARACTERS])

    def _warm_up(self) -> None:
        """Fit some rows once: what Java loads and compiles the first time, and Python's workers, is no candidate's.

        What fails here is in the log, and will fail the fits that it is of as well.
        """
        if self._warm:
            return
        self._warm, overdue = True, threading.Event()
        candidates = self.request.contest.candidates
        with_xgboost = not is_remote() and (candidates is None or "xgboost" in candidates)
        job = Job(self.manifest.model_copy(update={"task": "regression"}), WARM_ROWS, {}, 0, rounds=1)
        try:
            with _in_time(self.spark, WARM_SECONDS, overdue), kept(self.pool.limit(WARM_ROWS)) as some:
                for name in WARM if with_xgboost else WARM[:1]:
                    pipeline(name, job, tables_of(name, some, job)).fit(some).transform(some).toPandas()
        except Exception:  # noqa: BLE001, nothing was asked for yet
            traceback.print_exc()

    def _do(self, task: FitTask) -> None:
        places = np.load(task.learn)
        held = self.test if task.held is None else taken(self.pool, task.held)
        order = np.arange(self.manifest.splits["test"].rows) if task.held is None else np.load(task.held)
        with kept(taken(self.pool, task.learn)) as learn:
            if task.candidate in constants.BASELINES:
                score = constants.constant(task.candidate, learn, self.manifest)
                np.save(task.scores, np.broadcast_to(score, (len(order), *score.shape)).copy())
                if task.model is not None:
                    constants.save(score, task.model)
                return
            job = Job(self.manifest, len(places), task.values, task.seed)
            tables = tables_of(task.candidate, learn, job)
            model = self._fitted(task, learn, job, tables)
        np.save(task.scores, self._scores(model, held, order))
        if task.model is not None:
            arrays.save(self.spark, model.stages[-1], tables, task.model)

    def _fitted(self, task: FitTask, learn: DataFrame, job: Job, tables: Sequence[NDArray[np.int64]]) -> PipelineModel:
        if task.candidate not in LEARNERS:
            raise FranklinError(f"Spark has no {task.candidate}; it is fitted on one machine")
        if job.classed and learn.select("label").distinct().count() == 1:
            raise FranklinError("all rows are of one class, so there is nothing to learn")
        if task.candidate in BOOSTED:
            job = replace(job, rounds=self._rounds(task, learn, job))
        return pipeline(task.candidate, job, tables).fit(learn)

    def _rounds(self, task: FitTask, learn: DataFrame, job: Job) -> int:
        """Boost without the rows to stop by, and say for how long it was worth it: as long, all rows are boosted."""
        places = np.load(task.stop) if task.stop else []
        if not len(places):
            return ROUNDS_OF_FEW
        stops = self.spark.createDataFrame(pd.DataFrame({PLACE: places, STOPS: True}))
        parted = learn.join(stops, PLACE, "left").fillna(value=False, subset=[STOPS])
        return rounds_of(task.candidate, job, parted)

    def _scores(self, model: PipelineModel, held: DataFrame, order: NDArray[np.int64]) -> NDArray[np.float64]:
        scored = model.transform(held)
        if self.manifest.task == "regression":
            found = in_order(scored.select(PLACE, "prediction").toPandas(), order)
            return found["prediction"].to_numpy(np.float64)
        chances = scored.select(PLACE, vector_to_array(F.col("probability")).alias("probability")).toPandas()
        seen = np.stack(list(in_order(chances, order)["probability"])).astype(np.float64)
        whole = np.zeros((len(order), len(self.manifest.label.classes)))
        whole[:, : seen.shape[1]] = seen  # a class that no row has has no place, if none comes after it
        return whole[:, 1] if self.manifest.task == "binary" else whole


@contextmanager
def _in_time(spark: SparkSession, seconds: float, overdue: threading.Event) -> Iterator[None]:
    """Interrupt all that Spark does inside from the moment when time is up, and say so."""
    name, remote, ended = f"fit-{uuid4().hex}", is_remote(), threading.Event()

    def interrupt() -> None:
        wait = seconds
        while not ended.wait(wait):  # a fit is many jobs, and only those are interrupted that run
            overdue.set()
            wait = AGAIN_SECONDS
            if remote:
                spark.interruptTag(name)
            else:
                spark.sparkContext.cancelJobGroup(name)

    watcher = threading.Thread(target=interrupt, daemon=True)
    if remote:
        spark.addTag(name)
    else:  # a session that has had a tag is not serializable, and fitted models take it along
        spark.sparkContext.setJobGroup(name, "a fit", interruptOnCancel=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
        if remote:
            spark.removeTag(name)


def _told(task: FitTask, taken_up: Taken, failure: str | None) -> Fit:
    return Fit(
        candidate=task.candidate,
        phase=task.phase,
        fold=task.fold,
        rows=len(np.load(task.learn, mmap_mode="r")),
        values=task.values,
        metrics={},
        seconds=taken_up.seconds,
        processor_seconds=taken_up.processor_seconds,
        peak_memory_bytes=taken_up.peak_memory_bytes,
        failure=failure,
        scores=None if failure else task.scores.name,
    )
