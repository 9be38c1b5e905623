"""Faults at random moments: nothing half-made is ever seen, the next run ends well, and the rows are the same.

`make soak` has twelve of the job's own processes, four of them while days are landed, four executors of a real cluster
and four feeds: twenty. Executors run no Python, so there is no Python worker to kill beside the driver's own process.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from conf.compose import compose
from conf.data import Data
from conf.exchange import PrepareRequest
from conf.spark import AnySpark
from spark_jobs.fingerprint import fingerprint
from tests.spark_jobs.conftest import SPARK, table_data
from tests.spark_jobs.servers import Servers
from tests.spark_jobs.test_clusters import ENGINE, NO_PYTHON, SMALL, contents, data, local, servers
from tests.spark_jobs.test_days import DAYS, write

__all__ = ["data", "local", "servers"]  # fixtures
pytestmark = [pytest.mark.spark, pytest.mark.soak]
CHOSEN = random.Random(20261124)  # noqa: S311, of moments, which are no secret
LAST_SECONDS = 900
KINDS = ["whole"] * 4 + ["in_days"] * 2
FEED = """
import hashlib, sys
from conf.manifest import read_manifest
from models.feeds.feed import Feed
from models.feeds.mapped import Mapped
from models.feeds.stored import Stored
from pathlib import Path
folder, cache = sys.argv[1:]
mapped = Mapped(Stored(folder, read_manifest(folder), "train", 2**20), Path(cache), "train", 2**20)
digest = hashlib.sha256()
feed = Feed(mapped, batch_size=7, shuffle=True)
for _ in range(20):
    for batch in feed:
        digest.update(batch.numeric.numpy().tobytes() + batch.label.numpy().tobytes())
print(digest.hexdigest())
"""


def start(data: Data, folder: Path, spark: AnySpark) -> psutil.Popen:
    """Start the job in a process of its own."""
    work = folder.with_suffix(".work")
    work.mkdir(exist_ok=True)
    days, written = str(work / "days"), work / "request.json"
    identity = fingerprint(data)
    request = PrepareRequest(
        answer=work / "answer", data=data, spark=spark, folder=str(folder), days=days, fingerprint=identity
    )
    written.write_text(request.model_dump_json())
    with (work / "log").open("a") as log:
        return psutil.Popen([*ENGINE, str(written)], env={**os.environ, **NO_PYTHON}, stdout=log, stderr=log)


def ended(job: psutil.Popen) -> int:
    return int(job.wait(LAST_SECONDS))


def kill_one(job: psutil.Popen, look: Callable[[], Sequence[psutil.Process]]) -> None:
    """Kill one of the processes that `look` finds, as soon as there is one, while the job is at work."""
    deadline = time.monotonic() + LAST_SECONDS
    done = False
    while not done:
        assert job.poll() is None, "the job ended before anything could be killed"
        assert time.monotonic() < deadline, "there was nothing to kill"
        with suppress(psutil.NoSuchProcess):  # one that ends while we look at it
            found = look()
            done = bool(found) and killed(CHOSEN.choice(found))
        time.sleep(0.02)


def killed(victim: psutil.Process) -> bool:
    """Whether it was alive and died of this: what has been seen stopped can end by no other way."""
    victim.suspend()
    for _ in range(1000):
        status = victim.status()
        if status == psutil.STATUS_STOPPED:
            victim.kill()
            return True
        if status in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
            return False
        time.sleep(0.01)
    raise AssertionError(f"{victim} does not stop")


class Calm(NamedTuple):
    """A dataset, what it becomes undisturbed, and how long that takes."""

    data: Data
    contents: tuple[dict[str, str], Any]
    seconds: float


def calm(data: Data, folder: Path) -> Calm:
    began = time.monotonic()
    assert ended(start(data, folder, SPARK)) == 0
    return Calm(data, contents(folder), time.monotonic() - began)


@pytest.fixture(scope="module")
def whole(data: Data, local: Path, tmp_path_factory: pytest.TempPathFactory) -> Calm:
    undisturbed = calm(data, tmp_path_factory.mktemp("calm") / "set")
    assert undisturbed.contents == contents(local)
    return undisturbed


@pytest.fixture(scope="module")
def in_days(tmp_path_factory: pytest.TempPathFactory) -> Calm:
    folder = tmp_path_factory.mktemp("days")
    for place, day in enumerate(DAYS):
        write(folder / "visits", day, seed=place, rows=300)
    return calm(table_data(folder / "visits", label="ill", day="day"), folder / "set")


@pytest.mark.parametrize(("what", "victim"), [(what, victim) for what in KINDS for victim in ("python", "java")])
def test_the_job_is_killed(what: str, victim: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    undisturbed: Calm = request.getfixturevalue(what)
    folder, moment = tmp_path / "set", CHOSEN.uniform(0, 0.9) * undisturbed.seconds
    job = start(undisturbed.data, folder, SPARK)
    time.sleep(moment)
    kill_one(job, lambda: [each for each in [job, *job.children(recursive=True)] if victim in each.name()][:1])
    status = ended(job)
    assert victim == "java" or status == -signal.SIGKILL
    if (folder / "manifest.json").exists():
        assert contents(folder) == undisturbed.contents
    else:
        assert status != 0, f"it ended well without a feature set, {victim} killed after {moment:.1f} s"
    assert ended(start(undisturbed.data, folder, SPARK)) == 0
    assert contents(folder) == undisturbed.contents
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_executors_are_killed(whole: Calm, servers: Servers, tmp_path: Path) -> None:
    master = servers.master()
    workers = [servers.worker(master, name) for name in ("one", "two")]
    spark = compose("flights_delay", ["spark=standalone", f"spark.master={master}", *SMALL]).spark
    for number in range(4):
        job, moment = start(whole.data, tmp_path / str(number), spark), CHOSEN.uniform(0.3, 0.9) * whole.seconds
        time.sleep(moment)
        kill_one(job, lambda: [child for worker in workers for child in worker.children(recursive=True)])
        assert ended(job) == 0, (tmp_path / f"{number}.work" / "log").read_text()[-2000:]
        assert contents(tmp_path / str(number)) == whole.contents


def test_feeds_are_killed(local: Path, tmp_path: Path) -> None:
    def feed(cache: Path) -> psutil.Popen:
        return psutil.Popen([sys.executable, "-c", FEED, str(local), str(cache)], stdout=subprocess.PIPE, text=True)

    began = time.monotonic()
    calm, _ = feed(tmp_path / "calm").communicate()
    seconds = time.monotonic() - began
    assert len(calm.strip()) == 64
    for number in range(4):
        disturbed = feed(tmp_path / str(number))
        time.sleep(CHOSEN.uniform(0, 0.9) * seconds)
        kill_one(disturbed, lambda feed=disturbed: [feed])
        disturbed.communicate()
        assert ended(disturbed) == -signal.SIGKILL
        assert feed(tmp_path / str(number)).communicate()[0] == calm
