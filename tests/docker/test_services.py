"""The services of docker/compose.yaml work together; each runs its own command (see conftest.py)."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import mlflow
import pytest
from sklearn.datasets import load_breast_cancer

from tests.docker.conftest import Services

pytestmark = [pytest.mark.server, pytest.mark.soak]

HELLO = """
from prefect import flow

@flow
def hello(name: str) -> str:
    return f"hello {name}"

if __name__ == "__main__":
    import sys
    from prefect.deployments import run_deployment
    deployed = hello.from_source(source=sys.argv[1], entrypoint="hello.py:hello")
    deployed.deploy(name="test", work_pool_name="franklin", print_next_steps=False)
    run = run_deployment("hello/test", parameters={"name": "worker"}, timeout=90, poll_interval=1)
    print(run.state.type.value)
"""


def run(command: list[str], services: Services, folder: Path, seconds: int) -> str:
    """Run a command as a client of the servers and return what it printed."""
    environment = os.environ | services.environment | {"PREFECT_HOME": str(folder / "prefect")}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=seconds
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_mlflow_keeps_runs_in_postgres_and_artifacts_in_the_store(services: Services) -> None:
    client = mlflow.MlflowClient(services.mlflow)
    experiment = client.create_experiment("services")
    started = client.create_run(experiment)
    client.log_metric(started.info.run_id, "auc", 0.7)
    client.log_text(started.info.run_id, "a picture", "pictures/roc.txt")
    client.set_terminated(started.info.run_id)

    found = client.get_run(started.info.run_id)
    assert found.data.metrics == {"auc": 0.7}
    assert found.info.artifact_uri.startswith("mlflow-artifacts:/"), "clients need no key of the store"
    store = boto3.client("s3", endpoint_url=services.store, region_name="us-east-1", **services.s3_key)
    keys = [content["Key"] for content in store.list_objects_v2(Bucket="mlflow")["Contents"]]
    assert [key for key in keys if key.endswith(f"{started.info.run_id}/artifacts/pictures/roc.txt")]


def test_mlflow_registers_a_model_version_with_an_alias(services: Services) -> None:
    client = mlflow.MlflowClient(services.mlflow)
    started = client.create_run(client.create_experiment("registered"))
    client.log_text(started.info.run_id, "a model", "model/MLmodel")
    client.create_registered_model("services")
    version = client.create_model_version(
        "services", source=f"{started.info.artifact_uri}/model", run_id=started.info.run_id
    )
    client.set_registered_model_alias("services", "champion", version.version)
    assert client.get_model_version_by_alias("services", "champion").version == version.version


def test_the_store_refuses_a_wrong_key(services: Services) -> None:
    wrong = dict.fromkeys(services.s3_key, "wrong")
    store = boto3.client("s3", endpoint_url=services.store, region_name="us-east-1", **wrong)
    with pytest.raises(store.exceptions.ClientError, match="InvalidAccessKeyId"):
        store.list_buckets()


def test_the_deployments_are_registered_and_the_worker_runs_what_is_asked(services: Services, tmp_path: Path) -> None:
    listed = run([sys.executable, "-m", "prefect", "deployment", "ls"], services, tmp_path, 60)
    assert "flights-delay" in listed
    (tmp_path / "hello.py").write_text(HELLO, encoding="utf-8")
    assert run([sys.executable, "hello.py", str(tmp_path)], services, tmp_path, 120).splitlines()[-1] == "COMPLETED"


def spark_master(services: Services) -> dict[str, Any]:
    """Ask the Spark master for its workers and applications."""
    with urllib.request.urlopen(f"{services.spark_ui}/json/", timeout=10) as answer:  # noqa: S310  loopback
        found: dict[str, Any] = json.load(answer)
    return found


@pytest.mark.e2e
def test_the_pipeline_runs_against_the_servers_and_on_the_cluster(services: Services, tmp_path: Path) -> None:
    deadline = time.monotonic() + 60
    while spark_master(services)["aliveworkers"] < 2:  # a worker is healthy a moment before it has registered
        assert time.monotonic() < deadline
        time.sleep(1)
    table = load_breast_cancer(as_frame=True).frame
    table.to_csv(tmp_path / "breast.csv", index=False)
    settings = f"path: {tmp_path / 'breast.csv'}\nlabel: target\n"
    (tmp_path / "breast.yaml").write_text(settings, encoding="utf-8")
    command = [
        "franklin", "run", "breast.yaml", "trainer.max_epochs=2", f"home={tmp_path / 'home'}", "--json",
        "spark=standalone", f"spark.master={services.spark}", "spark.executor_memory=512m",
    ]  # fmt: skip
    summary = json.loads(run(command, services, tmp_path, 420).splitlines()[-1])

    jobs = [(job["name"], job["state"]) for job in spark_master(services)["completedapps"]]
    assert jobs == [("franklin", "FINISHED")]
    client = mlflow.MlflowClient(services.mlflow)
    found = client.get_run(summary["run_id"])
    assert found.info.status == "FINISHED"
    name, version = summary["model_uri"].removeprefix("models:/").split("/")
    assert client.get_model_version(name, version).status == "READY"
