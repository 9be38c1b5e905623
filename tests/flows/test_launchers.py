"""Whole runs whose ranks are elsewhere: on two machines, and in Spark's executors."""

import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.flows.command import FRANKLIN, franklin, summary
from tests.flows.fixtures import Up, free_port
from tests.flows.test_run import started, wait_for_rank
from tests.spark_jobs.servers import Servers
from tests.spark_jobs.test_clusters import SMALL, servers

__all__ = ["servers"]  # a fixture
pytestmark = [pytest.mark.soak, pytest.mark.e2e, pytest.mark.server]
SHORT = ("strategy=ddp", "trainer.max_epochs=8", "feed.batch_size=64", "--json")


def test_two_machines(up: Up, breast: Path, tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    variables = {**os.environ, "FRANKLIN_HOME": str(up.home)}
    command = [*FRANKLIN, "join", address, "--address", "127.0.0.2"]
    with (tmp_path / "told").open("w+", encoding="utf-8") as told:
        second = psutil.Popen(command, env=variables, stdout=told)
        done = franklin("run", breast, *SHORT, "launcher.nodes=2", f"launcher.address={address}", home=up.home)
        second.send_signal(signal.SIGINT)
        second.wait(20)
        told.seek(0)
        assert "this machine has done its part" in told.read()
    assert f"training wants 1 more machine; there: franklin join {address}" in done.stderr
    assert summary(done)["metrics"]["test"]["auc"]["value"] > 0.95


def test_ranks_in_executors(up: Up, breast: Path, servers: Servers) -> None:
    master = servers.master()
    for name in ("one", "two"):
        servers.worker(master, name)
    words = ["launcher=spark", "spark=standalone", f"spark.master={master}", *SMALL]
    done = summary(franklin("run", breast, *SHORT, *words, home=up.home, PYSPARK_PYTHON=sys.executable))
    assert (done["world_size"], done["metrics"]["test"]["auc"]["value"] > 0.95) == (2, True)


def test_cancelling_ends_ranks_in_seconds_and_leaves_a_checkpoint(up: Up, breast: Path) -> None:
    words = ["trainer.max_epochs=4000", "trainer.patience=4000", "strategy=ddp", "feed.batch_size=64"]
    with started(up.home, breast, *words) as flow:
        rank = wait_for_rank(flow.pid, up.home)
        folder = Path(rank.cmdline()[-1]).parent / "checkpoints"
        time.sleep(1)
        began, asked = time.time(), time.monotonic()
        flow.send_signal(signal.SIGTERM)
        psutil.wait_procs([rank], timeout=60)
        print(f"a rank was gone {time.monotonic() - asked:.1f} s after its run was cancelled")  # noqa: T201
        flow.wait(60)
    newest = max(folder.glob("step-*[0-9]"))
    assert newest.stat().st_mtime >= began
    resume = [f"resume={folder.parent.parent}", "trainer.patience=1", "--json"]
    done = franklin("run", breast, *words[:1], *words[2:], *resume, home=up.home)
    assert summary(done)["metrics"]["test"]["auc"]["value"] > 0.9
    assert f"resumed at step {int(newest.name[5:]):,}" in done.stderr
