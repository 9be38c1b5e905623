"""Faults at random moments: nothing half-made is ever seen, the next run ends well, and the rows are the same.

`make soak` has twelve of the job's own processes, four executors of a real cluster and four feeds: twenty.
"""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from conf.compose import compose
from conf.data import Data
from conf.exchange import PrepareRequest
from conf.spark import AnySpark
from spark_jobs.fingerprint import fingerprint
from tests.spark_jobs.conftest import SPARK
from tests.spark_jobs.servers import Servers
from tests.spark_jobs.test_clusters import ENGINE, NO_PYTHON, SMALL, contents, data, local, servers

__all__ = ["data", "local", "servers"]  # fixtures
pytestmark = [pytest.mark.spark, pytest.mark.soak]
CHOSEN = random.Random(20261124)  # noqa: S311, of moments, which are no secret
LAST_SECONDS = 900
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


@pytest.fixture(scope="module")
def seconds(data: Data, local: Path, tmp_path_factory: pytest.TempPathFactory) -> float:
    """How long the job takes undisturbed."""
    folder, began = tmp_path_factory.mktemp("calm") / "set", time.monotonic()
    assert ended(start(data, folder, SPARK)) == 0
    assert contents(folder) == contents(local)
    return time.monotonic() - began


@pytest.mark.parametrize("victim", ["python", "java"] * 6)
def test_the_job_is_killed(victim: str, data: Data, local: Path, seconds: float, tmp_path: Path) -> None:
    folder, moment = tmp_path / "set", CHOSEN.uniform(0, seconds)
    job = start(data, folder, SPARK)
    time.sleep(moment)
    found = [each for each in [job, *job.children(recursive=True)] if victim in each.name()]
    for each in found[:1]:
        each.kill()
    status = ended(job)
    assert (folder / "manifest.json").exists() == folder.exists(), f"half a feature set after {moment:.1f} s"
    if folder.exists():
        assert contents(folder) == contents(local)
    elif status == 0:
        pytest.fail(f"it ended well without a feature set, {victim} killed after {moment:.1f} s")
    assert ended(start(data, folder, SPARK)) == 0
    assert contents(folder) == contents(local)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_executors_are_killed(data: Data, local: Path, seconds: float, servers: Servers, tmp_path: Path) -> None:
    master = servers.master()
    workers = [servers.worker(master, name) for name in ("one", "two")]
    spark = compose("flights_delay", ["spark=standalone", f"spark.master={master}", *SMALL]).spark
    killed = 0
    for number in range(4):
        job, moment = start(data, tmp_path / str(number), spark), CHOSEN.uniform(0.3, 1) * seconds
        time.sleep(moment)
        for worker in CHOSEN.sample(workers, 2):
            if executors := worker.children(recursive=True):
                executors[-1].kill()
                killed += 1
                break
        assert ended(job) == 0, (tmp_path / f"{number}.work" / "log").read_text()[-2000:]
        assert contents(tmp_path / str(number)) == contents(local)
    assert killed


def test_feeds_are_killed(local: Path, tmp_path: Path) -> None:
    def feed(cache: Path) -> psutil.Popen:
        return psutil.Popen([sys.executable, "-c", FEED, str(local), str(cache)], stdout=subprocess.PIPE, text=True)

    began = time.monotonic()
    calm, _ = feed(tmp_path / "calm").communicate()
    seconds = time.monotonic() - began
    assert len(calm.strip()) == 64
    for number in range(4):
        disturbed = feed(tmp_path / str(number))
        time.sleep(CHOSEN.uniform(0, seconds))
        disturbed.kill()
        disturbed.communicate()
        assert feed(tmp_path / str(number)).communicate()[0] == calm
