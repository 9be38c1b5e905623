"""Deployments on a real server with a real worker: `prefect deployment run` and cancelling."""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from mlflow.entities import Run
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL, temporary_settings

from conf.compose import groups
from flows.up import ROOT
from tests.flights import WITHOUT_PAST
from tests.flows.command import PREFECT
from tests.flows.fixtures import Up
from tests.flows.runs import FRANKLIN

pytestmark = [pytest.mark.e2e, pytest.mark.server]
(PREPARED,) = [line for line in FRANKLIN if "flights_delay strategy=fsdp" in line]
DEPLOYMENTS: list[dict[str, Any]] = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]


def api(up: Up) -> Any:
    return temporary_settings({PREFECT_API_URL: f"{up.prefect}/api"})


def start(up: Up, deployment: str, *parameters: str, flow: str = "pipeline") -> str:
    """Start a deployment as a person does; the flow run's id."""
    command = [*PREFECT, "deployment", "run", f"{flow}/{deployment}", *(w for p in parameters for w in ("-p", p))]
    variables = {**os.environ, "PREFECT_API_URL": f"{up.prefect}/api", "COLUMNS": "200"}
    shown = subprocess.run(command, env=variables, capture_output=True, text=True, check=True).stdout
    return next(line.split("UUID:")[1].strip() for line in shown.splitlines() if "UUID:" in line)


def follow(client: SyncPrefectClient, flow_run_id: str, *, seconds: float = 400) -> FlowRun:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        run = client.read_flow_run(flow_run_id)
        if run.state is not None and run.state.is_final():
            return run
        time.sleep(0.5)
    raise TimeoutError(f"{flow_run_id} is {run.state_name}")


def tracked(up: Up, flow_run_id: str) -> Run:
    """The MLflow run of a flow run."""
    experiments = [each.experiment_id for each in up.client.search_experiments()]
    (run,) = up.client.search_runs(experiments, f"tags.prefect_flow_run_id = '{flow_run_id}'")
    return run


def test_every_experiment_has_one_for_the_night_and_one_for_now(up: Up) -> None:
    with api(up), get_client(sync_client=True) as client:
        registered = {(each.entrypoint, each.name): each for each in client.read_deployments()}
    assert registered.keys() == {(each["entrypoint"], each["name"]) for each in DEPLOYMENTS}
    ours = {("flows.pipeline:pipeline", each) for each in set(groups()["experiment"]) - {"table"}}
    ours |= {("flows.selecting:select", each) for each in ("flights_delay", "flights_airtime")}
    for flow, experiment in ours:
        mine = [
            each
            for (entrypoint, _), each in registered.items()
            if entrypoint == flow and each.parameters.get("experiment") == experiment
        ]
        assert sorted(len(each.schedules) for each in mine) == [0, 1]


def test_the_form_offers_choices(up: Up) -> None:
    with api(up), get_client(sync_client=True) as client:
        form = client.read_deployment_by_name("pipeline/flights-delay").parameter_openapi_schema
    properties = form["properties"]
    assert sorted(properties["strategy"]["enum"]) == groups()["strategy"]
    assert sorted(properties["tuner"]["enum"]) == groups()["tuner"]
    assert properties["overrides"]["type"] == "array"


def test_the_form_of_a_contest_asks_for_budget_engine_and_blind(up: Up) -> None:
    with api(up), get_client(sync_client=True) as client:
        deployed = client.read_deployment_by_name("select/flights-delay")
    properties = deployed.parameter_openapi_schema["properties"]
    assert list(properties) == ["experiment", "budget_seconds", "engine", "blind", "overrides"]
    assert {"enum": ["local", "spark", "auto"], "type": "string"} in properties["engine"]["anyOf"]
    assert {each["type"] for each in properties["blind"]["anyOf"]} == {"boolean", "null"}
    assert "budget_seconds" not in deployed.parameters  # so overrides and the configuration have a say


@pytest.mark.soak
def test_days_are_gone_over(up: Up, tmp_path: Path) -> None:
    for day in ("2020-01-01", "2020-01-02", "2020-01-03"):
        (tmp_path / f"day={day}").mkdir()
        (tmp_path / f"day={day}" / "visits.csv").write_text("age,ill\n1,no\n2,yes\n")
    (tmp_path / "visits.yaml").write_text("path: .\nlabel: ill\nday: day\n")
    asked = [f"experiment={tmp_path / 'visits.yaml'}", "first=2020-01-02", "last=2020-01-31"]
    with api(up), get_client(sync_client=True) as client:
        done = follow(client, start(up, "days", *asked, flow="backfill"))
    assert done.state_name == "Completed", done.state
    assert sorted(day.name[:10] for day in (up.home / "days" / "visits").iterdir()) == ["2020-01-02", "2020-01-03"]


@pytest.mark.runs(PREPARED)
@pytest.mark.usefixtures("runs")
def test_a_deployment_runs_on_the_worker(up: Up, few_flights: Path) -> None:
    """On a feature set that is there already."""
    words = json.dumps(["trainer.max_epochs=1", f"data.path={few_flights}", WITHOUT_PAST])
    flow_run_id = start(up, "flights-delay", "strategy=fsdp", f"overrides={words}")
    with api(up), get_client(sync_client=True) as client:
        done = follow(client, flow_run_id)
    assert done.state_name == "Completed", done.state
    run = tracked(up, flow_run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags["strategy"] == "fsdp"
    assert run.data.params["world_size"] == "2"
    assert f"mlflow:{run.info.run_id}" in done.tags


@pytest.mark.soak
def test_cancelling_leaves_no_process_and_a_killed_run(up: Up, few_flights: Path) -> None:
    words = json.dumps(["trainer.max_epochs=5000", "trainer.patience=5000", f"data.path={few_flights}", WITHOUT_PAST])
    flow_run_id = start(up, "flights-airtime", "strategy=ddp", f"overrides={words}")
    cancel_in_training(up, flow_run_id)
    run = tracked(up, flow_run_id)
    assert run.info.status == "KILLED"
    below = up.client.search_runs([run.info.experiment_id], f"tags.mlflow.parentRunId = '{run.info.run_id}'")
    assert {each.info.status for each in below} == {"FINISHED", "KILLED"}


@pytest.mark.soak
def test_a_cancelled_run_that_is_retried_goes_on_from_its_checkpoint(up: Up, few_flights: Path) -> None:
    words = json.dumps(["trainer.max_epochs=60", "trainer.patience=60", f"data.path={few_flights}", WITHOUT_PAST])
    flow_run_id = start(up, "flights-airtime", "strategy=ddp", f"overrides={words}")
    cancel_in_training(up, flow_run_id)
    before = tracked(up, flow_run_id)
    prefect(up, "flow-run", "retry", flow_run_id)
    time.sleep(2)  # until the state is no longer the final one
    with api(up), get_client(sync_client=True) as client:
        assert follow(client, flow_run_id).state_name == "Completed"
    after = tracked(up, flow_run_id)
    assert (after.info.run_id, before.info.status, after.info.status) == (before.info.run_id, "KILLED", "FINISHED")
    answer = json.loads((up.home / "runs" / flow_run_id / "train" / "train.json").read_text())
    assert answer["result"]["resumed_from_step"] > 0
    assert answer["result"]["epochs"] == 60


def prefect(up: Up, *words: str) -> None:
    variables = {**os.environ, "PREFECT_API_URL": f"{up.prefect}/api"}
    subprocess.run([*PREFECT, *words], env=variables, check=True, capture_output=True)


def cancel_in_training(up: Up, flow_run_id: str) -> None:
    """Cancel a flow run once its training has written a checkpoint; nothing of it is left."""
    folder = up.home / "runs" / flow_run_id
    deadline = time.monotonic() + 200
    while not any(folder.glob("train/checkpoints/step-*[0-9]")):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert working_in(folder)
    prefect(up, "flow-run", "cancel", flow_run_id)
    with api(up), get_client(sync_client=True) as client:
        assert follow(client, flow_run_id, seconds=60).state_name == "Cancelled"
    deadline = time.monotonic() + 30
    while (alive := working_in(folder)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert alive == []


def working_in(folder: Path) -> list[str]:
    """Command lines of the processes that name a folder."""
    lines = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    return [line for line in lines if str(folder) in line]
