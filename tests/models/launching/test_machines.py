"""Two machines share a training: two agents, each with an address of its own, meet at that of the first one."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen

import psutil
import pytest

from conf.exchange import TrainRequest, TrainResult
from tests.flows.command import FRANKLIN
from tests.flows.fixtures import free_port
from tests.models import launch
from tests.models.launch import assert_same, kill, ranks_of, wait_for_checkpoint, weights

pytestmark = pytest.mark.distributed


@pytest.fixture(scope="module")
def alone(feature_set: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """The same ranks on one machine."""
    return launch.run(launch.request(feature_set, tmp_path_factory.mktemp("alone"), "ddp", 2, checkpoint_steps=7))


@contextmanager
def joined(home: Path, address: str, *options: str) -> Iterator[Popen[str]]:
    """`franklin join`, which is ended as by Ctrl-C."""
    variables = {**os.environ, "FRANKLIN_HOME": str(home), "OMP_NUM_THREADS": "1"}
    command = [*FRANKLIN, "join", address, "--address", "127.0.0.2", *options]
    with Popen(command, stdout=PIPE, stderr=DEVNULL, text=True, env=variables) as second:
        yield second
        below = psutil.Process(second.pid).children(recursive=True)
        second.send_signal(signal.SIGINT)
        second.wait(20)
        assert psutil.wait_procs(below, timeout=1)[1] == []


def wanted_of(feature_set: Path, folder: Path, **trainer: float) -> TrainRequest:
    launcher = {"nodes": 2, "address": f"127.0.0.1:{free_port()}"}
    return launch.request(feature_set, folder, "ddp", 2, checkpoint_steps=7, launcher=launcher, **trainer)


def address_of(wanted: TrainRequest) -> str:
    assert wanted.launcher.address
    return wanted.launcher.address


@pytest.mark.soak
def test_two_machines_do_what_one_does_though_the_second_dies(
    feature_set: Path, alone: TrainResult, tmp_path: Path
) -> None:
    wanted = wanted_of(feature_set, tmp_path / "run")
    with joined(tmp_path, address_of(wanted)) as second:
        with launch.start(wanted) as first:
            wait_for_checkpoint(wanted.run_folder, after_step=10)
            (agent,) = [p for p in psutil.Process(second.pid).children(recursive=True) if is_agent(p)]
            assert [len(ranks_of(first)), len(ranks_of(second))] == [1, 1]
            kill([agent.pid])
            first.communicate(timeout=120)
        assert first.returncode == 0, launch.log(wanted)[-3000:]
        assert second.poll() is None
        assert second.stdout
        told = [second.stdout.readline() for _ in range(4)]
    assert [line.rstrip().partition(" of ")[0] for line in told[1:]] == [
        "this machine joins the training",
        "this machine joins the training",
        "this machine has done its part",
    ]
    result = launch.result(wanted)
    assert (result.restarts, result.resumed_from_step > 10) == (1, True)
    assert_same(weights(result), weights(alone))


def is_agent(process: psutil.Process) -> bool:
    return process.cmdline()[1:3] == ["-m", "models.join"]


@pytest.mark.soak
def test_a_mistake_ends_both_at_once_and_the_second_waits_for_more(feature_set: Path, tmp_path: Path) -> None:
    wanted = wanted_of(feature_set, tmp_path / "run", learning_rate=1e30)
    with joined(tmp_path, address_of(wanted)) as second:
        with launch.start(wanted) as first:
            first.communicate(timeout=60)
        assert launch.answer(wanted)["error"].startswith("numbers are not finite at step ")
        assert "start again" not in launch.log(wanted) + (tmp_path / "join.log").read_text(encoding="utf-8")
        time.sleep(2)
        assert second.poll() is None


@pytest.mark.soak
def test_a_mistake_of_the_second_before_they_meet_ends_both(
    feature_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lacks a module that the first one has; the first would wait for its rank."""
    wanted = wanted_of(feature_set, tmp_path / "run")
    feed = wanted.feed.model_copy(update={"transform": "only_here:same"})
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "only_here.py").write_text("def same(batch):\n    return batch\n")
    with joined(tmp_path, address_of(wanted)):
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"), prepend=os.pathsep)
        with launch.start(wanted.model_copy(update={"feed": feed})) as first:
            first.communicate(timeout=60)
    assert "only_here" in launch.answer(wanted)["error"]


def test_machines_that_do_not_come_are_missed(feature_set: Path, tmp_path: Path) -> None:
    wanted = wanted_of(feature_set, tmp_path / "run")
    launcher = wanted.launcher.model_copy(update={"wait_seconds": 1})
    with launch.start(wanted.model_copy(update={"launcher": launcher})) as first:
        first.communicate(timeout=60)
    assert launch.answer(wanted)["error"].startswith("of 2 machines, not all came to 127.0.0.1:")
