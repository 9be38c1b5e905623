"""`launcher=spark`: ranks in the executors of a real master with two workers do what they do under torchrun."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from conf.compose import compose
from conf.errors import FranklinError
from conf.exchange import PROGRESS_MARK, SparkRanksRequest, TrainRequest
from conf.launchers import SparkLauncher
from conf.spark import StandaloneSpark
from flows.engines import TRAIN_IN_SPARK
from models.parallel.room import ranks_of
from tests.feature_sets import write_feature_set
from tests.models import launch
from tests.models.launch import assert_same, kill, shipped, wait_for_checkpoint, weights
from tests.spark_jobs.servers import BRIEF, Servers
from tests.spark_jobs.test_clusters import SMALL, servers

__all__ = ["servers"]  # a fixture
pytestmark = [pytest.mark.spark, pytest.mark.server, pytest.mark.distributed]
LONG: dict[str, Any] = {"checkpoint_steps": 20, "max_epochs": 40, "patience": 40}


def two_workers(servers: Servers) -> str:
    """A master's address."""
    master = servers.master()
    for name in ("one", "two"):
        servers.worker(master, name)
    return master


def request(master: str, train: TrainRequest) -> SparkRanksRequest:
    spark = compose("flights_delay", ["spark=standalone", f"spark.master={master}", *SMALL]).spark
    assert isinstance(spark, StandaloneSpark)
    launcher = SparkLauncher.model_validate(shipped("launcher", "spark"))
    train = train.model_copy(update={"launcher": launcher, "cores": 1})
    return SparkRanksRequest(answer=train.answer, spark=spark, module="models.train", train=train)


@contextmanager
def started(wanted: SparkRanksRequest) -> Iterator["subprocess.Popen[str]"]:
    """The engine, with its progress on a pipe."""
    folder = wanted.train.run_folder
    (folder / "request.json").write_text(wanted.model_dump_json(), encoding="utf-8")
    variables = {**os.environ, **BRIEF, "FRANKLIN_PROGRESS": "1", "PYSPARK_PYTHON": sys.executable}
    with (folder / "log").open("a") as log:
        command = [*TRAIN_IN_SPARK, str(folder / "request.json")]
        engine = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        yield engine
    finally:
        engine.kill()
        engine.communicate()


def ranks_below(servers: Servers) -> list[int]:
    """The processes of ranks that the workers' executors have started."""
    found = []
    for worker in servers.processes:
        for process in worker.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if process.cmdline()[1:4] == ["-u", "-m", "models.train"]:
                    found.append(process.pid)
    return found


@pytest.mark.soak
def test_executors_train_as_torchrun_does(servers: Servers, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    write_feature_set(tmp_path / "set", "binary")
    train = launch.request(tmp_path / "set", tmp_path / "run", "ddp", 2)
    with started(request(two_workers(servers), train)) as engine:
        output, _ = engine.communicate(timeout=200)
        assert engine.returncode == 0, launch.log(train)[-3000:]
    check_reports(output)
    alone = launch.run(launch.request(tmp_path / "set", tmp_path / "alone", "ddp", 2))
    assert_same(weights(launch.result(train)), weights(alone))


def check_reports(output: str) -> None:
    """Ranks are waited for, and then count their steps."""
    reports = [json.loads(line.removeprefix(PROGRESS_MARK)) for line in output.splitlines()]
    assert [reports[0]["note"], reports[-1]["unit"]] == ["waits for 2 executors", "steps"]


@pytest.mark.soak
def test_a_training_that_is_cancelled_goes_on_though_a_rank_is_killed(servers: Servers, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    write_feature_set(tmp_path / "set", "binary")
    train = launch.request(tmp_path / "set", tmp_path / "run", "ddp", 2, **LONG)
    wanted = request(two_workers(servers), train)
    with started(wanted) as engine:
        wait_for_checkpoint(train.run_folder, after_step=10)
        ranks = [psutil.Process(pid) for pid in ranks_below(servers)]
        assert len(ranks) == 2
        began, asked = time.time(), time.monotonic()
        engine.terminate()
        left = psutil.wait_procs(ranks, timeout=60)[1]
        print(f"ranks were gone {time.monotonic() - asked:.1f} s after their driver was asked to end")  # noqa: T201
        assert left == []
        assert engine.wait(60) != 0
    assert not train.answer.exists()
    newest = max((train.run_folder / "checkpoints").glob("step-*[0-9]"))
    assert newest.stat().st_mtime >= began
    last = int(newest.name[5:])
    with started(wanted) as engine:
        wait_for_checkpoint(train.run_folder, after_step=last)
        kill(ranks_below(servers)[-1:])
        output, _ = engine.communicate(timeout=200)
        assert engine.returncode == 0, launch.log(train)[-3000:]
    check_reports(output)
    result = launch.result(train)
    assert result.resumed_from_step > last
    alone = launch.run(launch.request(tmp_path / "set", tmp_path / "alone", "ddp", 2, **LONG))
    assert_same(weights(result), weights(alone))


@pytest.mark.soak
def test_a_mistake_and_a_cluster_that_is_too_small_are_one_line(servers: Servers, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    write_feature_set(tmp_path / "set", "binary")
    master = servers.master()
    servers.worker(master, "one")
    train = launch.request(tmp_path / "set", tmp_path / "two", "ddp", 2)
    wanted = request(master, train)
    soon = wanted.train.launcher.model_copy(update={"wait_seconds": 5})
    with started(wanted.model_copy(update={"train": wanted.train.model_copy(update={"launcher": soon})})) as engine:
        engine.communicate(timeout=200)
    assert launch.answer(train)["error"].startswith("launcher=spark: the cluster has no room for all ranks at once; ")
    servers.worker(master, "two")
    wrong = launch.request(tmp_path / "set", tmp_path / "wrong", "ddp", 2, learning_rate=1e30)
    with started(request(master, wrong)) as engine:
        engine.communicate(timeout=200)
    assert launch.answer(wrong)["error"].startswith("numbers are not finite at step ")
    assert launch.log(wrong).count("Started distributed training") == 1


def test_ranks_are_as_many_as_executors() -> None:
    words = ["launcher=spark", "spark=standalone", "spark.master=spark://127.0.0.1:7077", "spark.executors=4"]
    assert ranks_of(compose("flights_delay", [*words, "strategy=ddp"])) == 4
    with pytest.raises(FranklinError, match=r"^strategy.world_size=8: spark.executors=4; take at most 4$"):
        ranks_of(compose("flights_delay", [*words, "strategy=ddp", "strategy.world_size=8"]))
    with pytest.raises(FranklinError, match=r"spark=local has none for them; choose spark=standalone, yarn or k8s"):
        compose("flights_delay", ["launcher=spark"])
