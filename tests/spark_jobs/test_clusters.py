"""`spark=...` changes where the job runs and nothing else: the same rows, in the same order, and the same manifest."""

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from conf.compose import compose
from conf.data import Data
from conf.errors import FranklinError
from conf.exchange import PROGRESS_MARK, PrepareRequest
from conf.manifest import SPLITS, read_manifest
from conf.spark import KubernetesSpark, StandaloneSpark, YarnSpark
from spark_jobs.clusters import check_reachable, placed
from spark_jobs.fingerprint import fingerprint
from spark_jobs.java import java_home
from spark_jobs.session import session
from tests.spark_jobs.conftest import made, table_data
from tests.spark_jobs.kubernetes import Kubernetes
from tests.spark_jobs.servers import BRIEF, HOME, Servers, kill

FILES, ROWS = 4, 500
# Of executors, which need none: Spark does all of the work itself.
NO_PYTHON = {"PYSPARK_PYTHON": "/nowhere/python", "PYSPARK_DRIVER_PYTHON": sys.executable}
ENGINE = [sys.executable, "-m", "spark_jobs.prepare"]
# A jar that no Spark has on its class path by itself, and a function in it.
JAR = next((HOME / "jars" / "connect-repl").glob("interface-*.jar"))
COMPARE = "reflect('coursierapi.Version', 'compare', '1.0', '1.0')"
SMALL = ["spark.memory=1g", "spark.executor_memory=512m", "spark.shuffle_partitions=2"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """A folder of files, each a task."""
    draw, folder = np.random.default_rng(1), tmp_path_factory.mktemp("table")
    for i in range(FILES):
        frame = pd.DataFrame(
            {
                "amount": draw.lognormal(size=ROWS),
                "town": draw.choice(["Ayr", "Bath", "Cork", "Deal"], ROWS),
                "y": draw.choice(["no", "yes"], ROWS),
            }
        )
        frame.to_csv(folder / f"{i}.csv", index=False)
    return table_data(folder, columns={"amount": {"kind": "numeric", "scaling": "quantile"}})


@pytest.fixture(scope="module")
def local(spark: SparkSession, data: Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The feature set that Spark makes in this process."""
    return made(spark, data, tmp_path_factory.mktemp("sets") / "local")[1]


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    folder = tmp_path / "servers"
    folder.mkdir()
    started = Servers(folder)
    yield started
    started.end()


def run(
    data: Data, folder: Path, overrides: list[str], watch: Callable[[int], None] = lambda _: None
) -> tuple[dict[str, Any], str]:
    """Run the job in a process of its own; returns its answer and what it logged. `watch` is told the tasks done."""
    spark = compose("flights_delay", overrides).spark
    work = folder.with_suffix(".work")
    work.mkdir()
    request = PrepareRequest(
        answer=work / "answer",
        data=data,
        spark=spark,
        folder=str(folder),
        days=str(work / "days"),
        fingerprint=fingerprint(data),
    )
    (work / "request.json").write_text(request.model_dump_json())
    with (work / "log").open("w") as log:
        process = psutil.Popen(
            [*ENGINE, str(work / "request.json")],
            env={**os.environ, "FRANKLIN_PROGRESS": "1", **NO_PYTHON, **BRIEF},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        for line in process.stdout:
            if line.startswith(PROGRESS_MARK):
                watch(json.loads(line.removeprefix(PROGRESS_MARK))["done"])
        process.wait()
    said = (work / "log").read_text()
    assert (work / "answer").exists(), said
    return json.loads((work / "answer").read_text()), said


def contents(folder: Path) -> tuple[dict[str, str], Any]:
    """Return a checksum of each split's rows in their order, and the manifest but for when and for names of files."""
    sums = {}
    for split in (*SPLITS, "holdout"):
        table = pq.read_table(folder / split)
        sums[split] = hashlib.sha256(repr((table.schema.names, table.to_pylist())).encode()).hexdigest()
    manifest = read_manifest(str(folder)).model_dump_json(exclude={"created"})
    return sums, json.loads(re.sub(r"part-(\d+)-[-0-9a-f]{36}", r"part-\1", manifest))


def listed(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


@pytest.mark.parametrize(
    ("choice", "address"),
    [
        ("standalone", "spark.master=spark://127.0.0.1:{},127.0.0.2:{}"),
        ("k8s", "spark.master=k8s://https://127.0.0.1:{}"),
        ("connect", "spark.remote=sc://127.0.0.1:{}/;use_ssl=true"),
    ],
)
def test_a_cluster_that_does_not_answer_is_named_at_once(choice: str, address: str) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        image = ["spark.image=any"] if choice == "k8s" else []
        spark = compose("flights_delay", [f"spark={choice}", address.format(port, port), *image]).spark
        with (
            pytest.raises(FranklinError, match=rf"spark={choice}: 127\.0\.0\.1:{port} can't be reached"),
            session(spark),
        ):
            pass


def test_yarn_needs_the_settings_of_its_cluster(tmp_path: Path) -> None:
    spark = compose("flights_delay", ["spark=yarn", f"spark.hadoop_conf={tmp_path}"]).spark
    with pytest.raises(FranklinError, match=f"{tmp_path} has no yarn-site.xml"), session(spark):
        pass


def test_a_jar_that_is_not_there_is_named() -> None:
    spark = compose("flights_delay", ["spark.jars=[nowhere/driver.jar]"]).spark
    with pytest.raises(FranklinError, match=r"there is no file nowhere/driver\.jar"), session(spark):
        pass


@pytest.mark.parametrize(("host", "local"), [("127.0.0.9", True), ("192.0.2.1", False)])
def test_the_driver_hides_on_this_machine_only_if_all_executors_are_here(host: str, local: bool) -> None:
    spark = compose("flights_delay", ["spark=standalone", f"spark.master=spark://{host}:7077"]).spark
    assert isinstance(spark, StandaloneSpark)
    assert ("spark.driver.bindAddress" in placed(spark)) is local


def test_yarn_and_kubernetes_are_told_how_many_executors_how_large_and_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HADOOP_CONF_DIR", str(tmp_path))
    (tmp_path / "yarn-site.xml").touch()
    size = ["spark.executors=3", "spark.executor_cores=4", "spark.executor_memory=6g", "spark.driver_host=10.0.0.9"]
    asked = {
        "spark.executor.instances": "3",
        "spark.executor.cores": "4",
        "spark.executor.memory": "6g",
        "spark.driver.host": "10.0.0.9",
    }
    yarn = compose("flights_delay", ["spark=yarn", "spark.queue=night", *size]).spark
    assert isinstance(yarn, YarnSpark)
    assert placed(yarn) == {**asked, "spark.master": "yarn", "spark.yarn.queue": "night"}
    check_reachable(yarn)
    master = "spark.master=k8s://https://10.0.0.1:6443"
    k8s = compose("flights_delay", ["spark=k8s", master, "spark.image=mine:1", "spark.namespace=etl", *size]).spark
    assert isinstance(k8s, KubernetesSpark)
    assert placed(k8s) == {
        **asked,
        "spark.master": "k8s://https://10.0.0.1:6443",
        "spark.kubernetes.container.image": "mine:1",
        "spark.kubernetes.namespace": "etl",
    }


@pytest.mark.soak
@pytest.mark.spark
@pytest.mark.server
def test_a_standalone_cluster_gives_the_same_though_a_worker_is_killed(
    local: Path, data: Data, servers: Servers, tmp_path: Path
) -> None:
    master = servers.master()
    workers = [servers.worker(master, name) for name in ("one", "two")]
    killed_after: list[int] = []

    def watch(done: int) -> None:
        # It has done a part of the job that the rest will ask for.
        if not killed_after and any((servers.folder / "one").rglob("shuffle_*.data")):
            kill(workers[0])
            killed_after.append(done)

    both = "spark.conf.spark.scheduler.minRegisteredResourcesRatio=1.0"
    overrides = ["spark=standalone", f"spark.master={master}", f"spark.jars=[{JAR}]", both, *SMALL]
    answer, said = run(data, tmp_path / "cluster", overrides, watch)
    assert answer == {"result": {"folder": str(tmp_path / "cluster")}}
    assert contents(tmp_path / "cluster") == contents(local)
    assert killed_after
    assert "Lost executor" in said
    assert any((servers.folder / "two").rglob(JAR.name))


@pytest.mark.spark
@pytest.mark.server
@pytest.mark.soak
def test_a_connect_server_gives_the_same_and_keeps_nothing(
    local: Path, data: Data, servers: Servers, tmp_path: Path
) -> None:
    remote = servers.connect()
    answer, _ = run(data, tmp_path / "far", ["spark=connect", f"spark.remote={remote}", f"spark.jars=[{JAR}]"])
    assert answer == {"result": {"folder": str(tmp_path / "far")}}
    assert contents(tmp_path / "far") == contents(local)
    assert sorted(path.name for path in (tmp_path / "far").iterdir()) == sorted(path.name for path in local.iterdir())


@pytest.mark.soak
@pytest.mark.spark
@pytest.mark.server
def test_pods_are_as_configured_and_give_the_same(local: Path, data: Data, tmp_path: Path) -> None:
    (tmp_path / "pods").mkdir()
    cluster = Kubernetes(tmp_path / "pods", java_home(tmp_path / "java") / "bin" / "java")
    asked = ["spark.image=franklin-spark", "spark.namespace=spark", "spark.driver_host=127.0.0.1"]
    unwatched = "spark.conf.spark.kubernetes.executor.enableApiWatcher=false"
    try:
        answer, _ = run(
            data, tmp_path / "far", ["spark=k8s", f"spark.master={cluster.master}", *asked, unwatched, *SMALL]
        )
    finally:
        cluster.end()
    assert answer == {"result": {"folder": str(tmp_path / "far")}}
    assert contents(tmp_path / "far") == contents(local)
    containers = [container for pod in cluster.pods for container in pod["spec"]["containers"]]
    assert [container["image"] for container in containers] == ["franklin-spark"] * 2
    assert {pod["metadata"]["namespace"] for pod in cluster.pods} == {"spark"}
    assert {container["resources"]["requests"]["cpu"] for container in containers} == {"1"}


@pytest.mark.soak
@pytest.mark.spark
@pytest.mark.server
def test_files_that_executors_do_not_see_are_named(data: Data, servers: Servers, tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir()
    elsewhere = ["unshare", "--map-root-user", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs "$0" && exec "$@"', private]
    if subprocess.run([*elsewhere, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a tmpfs in a namespace of one's own")
    shutil.copytree(str(data.path), private / "table")
    master = servers.master()
    servers.worker(master, "far", before=elsewhere)
    overrides = ["spark=standalone", f"spark.master={master}", "spark.executors=1", *SMALL]
    unseen = data.model_copy(update={"path": str(private / "table")})
    answer, _ = run(unseen, tmp_path / "set", overrides)
    assert f"Spark's executors do not find file://{private}/table/" in answer["error"]
    answer, _ = run(data, private / "set", overrides)
    assert "and it is not here: set home to a folder that all machines see" in answer["error"]
    assert [path.name for path in private.iterdir() if path.name.startswith(("set", ".set"))] == ["set.work"]
