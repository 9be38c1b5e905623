"""Ranks of a training in Spark's executors, all at once: `python -m spark_jobs.ranks REQUEST.json`.

The driver is here. Each executor has one barrier task, which is one rank; `TorchDistributor` tells ranks of one another
and sends what they print back.
"""

import io
import os
import signal
import sys
from contextlib import redirect_stderr
from pathlib import Path
from threading import Event, Thread
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.ml.torch.distributor import TorchDistributor
from pyspark.sql import SparkSession

from conf.checkpoints import complete
from conf.errors import FranklinError
from conf.exchange import (
    PROGRESS_MARK,
    SparkRanksRequest,
    TrainRequest,
    answered,
    clean_up_on_sigterm,
    progress,
    serve,
)
from spark_jobs.session import session

ROOT = Path(__file__).parent.parent
NO_ROOM = "SPARK-24819"  # of Spark's words for a barrier stage that has more tasks than the cluster has slots
CHECK_SECONDS = 5
GPUS = "spark.task.resource.gpu.amount"


def run_ranks(request: SparkRanksRequest) -> None:
    """Run all ranks to the end of the training; rank 0 writes the answer.

    Raises:
        FranklinError: A mistake that ranks found, ranks that failed more often than they may, no cluster, or no room in
            it for all ranks at once.

    """
    train = request.train
    train.answer.unlink(missing_ok=True)
    path = train.run_folder / "ranks.request.json"
    path.write_text(train.model_dump_json(indent=2), encoding="utf-8")
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    spark = request.spark.model_copy(update={"conf": {**_conf(request), **request.spark.conf}})
    with session(spark, reports=False) as active:
        ended = _end_on_sigterm(active)
        progress(0, 0, "", f"waits for {train.world_size} executors")
        gpu = GPUS in request.spark.conf
        distributor = TorchDistributor(train.world_size, local_mode=False, use_gpu=gpu)
        failures, newest = 0, _newest(train)
        while not _tried(distributor, request.module, path, train):
            if ended.is_set():
                sys.exit(128 + signal.SIGTERM)
            if mistake := answered(train.answer).get("error"):
                raise FranklinError(mistake)
            newest, before = _newest(train), newest
            failures = failures + 1 if newest == before else 0
            if failures > train.launcher.restarts:
                raise FranklinError(
                    f"training failed {failures} times in a row without getting further; the log has what ranks printed"
                )


def _end_on_sigterm(active: SparkSession) -> Event:
    """Have SIGTERM end the session, and say that it did.

    A call of Spark's in this thread cannot be left before it is over. Executors hang up on the ranks when their session
    is; those of a standalone cluster then have the time to leave a checkpoint.
    """
    ended = Event()
    java: Any = active.sparkContext._jsc  # noqa: SLF001 -- Python's own would be half gone for the call that is left

    def end(*_: object) -> None:
        ended.set()
        Thread(target=java.stop, daemon=True).start()

    signal.signal(signal.SIGTERM, end)
    return ended


def _tried(distributor: TorchDistributor, module: str, path: Path, train: TrainRequest) -> bool:
    """Whether ranks that were started ended well; the distributor does not tell when they did not."""
    with redirect_stderr(_Parted()):
        try:
            # What it takes for a file are words for torchrun, of which -m is one.
            distributor.run("-m", module, str(path))
        except (Py4JError, PySparkException, RuntimeError) as error:
            if NO_ROOM in str(error):
                raise FranklinError(
                    "launcher=spark: the cluster has no room for all ranks at once; lower strategy.world_size, "
                    "spark.executors or spark.executor_cores, or wait longer (launcher.wait_seconds)"
                ) from None
            sys.stderr.write(f"{error}\n")
    return "result" in answered(train.answer)


def _conf(request: SparkRanksRequest) -> dict[str, str]:
    """Spark's settings for ranks: one in each executor, with this process's modules."""
    variables = {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        "PYTHONUNBUFFERED": "1",
        **{name: "1" for name in ("FRANKLIN_PROGRESS",) if name in os.environ},
    }
    checks = -(-request.train.launcher.wait_seconds // CHECK_SECONDS)
    return {
        "spark.task.cpus": str(request.spark.executor_cores),
        "spark.stage.maxConsecutiveAttempts": "1",  # whether ranks start again is not Spark's to say
        "spark.scheduler.barrier.maxConcurrentTasksCheck.interval": f"{CHECK_SECONDS}s",
        "spark.scheduler.barrier.maxConcurrentTasksCheck.maxFailures": str(checks),
        **{f"spark.executorEnv.{name}": value for name, value in variables.items()},
    }


def _newest(train: TrainRequest) -> str:
    """Name of the newest complete checkpoint."""
    return max((path.name for path in complete(train.run_folder / "checkpoints")), default="")


class _Parted(io.TextIOBase):
    """Standard error that sends progress, which ranks print among other things, to standard output."""

    def __init__(self) -> None:
        self._log = sys.stderr

    def write(self, text: str, /) -> int:
        (sys.stdout if text.startswith(PROGRESS_MARK) else self._log).write(text)
        return len(text)

    def flush(self) -> None:
        sys.stdout.flush()
        self._log.flush()


if __name__ == "__main__":
    clean_up_on_sigterm()
    serve(SparkRanksRequest, run_ranks)
