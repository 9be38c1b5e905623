"""`franklin run` from a person's own table to a registered model, seen from outside."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import mlflow
import pandas as pd
import psutil
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State, StateType
from prefect.settings import PREFECT_API_URL, temporary_settings

from tests.flows.command import FRANKLIN, PREFECT, franklin, summary, variables_of
from tests.flows.fixtures import Up, servers_up
from tests.flows.runs import SHORT, Runs

pytestmark = [pytest.mark.e2e, pytest.mark.server, pytest.mark.runs("breast")]


@pytest.fixture(scope="module")
def first(runs: Runs) -> dict:  # type: ignore[type-arg]
    return summary(runs("breast"))


def test_summary_says_all_that_is_promised(first: dict) -> None:  # type: ignore[type-arg]
    assert (first["experiment"], first["strategy"], first["world_size"]) == ("breast", "single", 1)
    assert sum(first["rows"].values()) == 569
    assert first["metrics"]["test"]["auc"]["value"] > 0.95
    assert first["baseline"]["test"]["auc"] == 0.5
    assert first["model_uri"] == "models:/breast/1"
    assert (first["alias"], first["cached"]) == ("champion", [])
    stages = ["prepare", "train", "evaluate", "register"]
    assert list(first["seconds"]) == list(first["peak_memory_bytes"]) == stages
    assert min(first["peak_memory_bytes"].values()) > 2**26


def test_plan_shows_what_every_strategy_would_take_and_trains_nothing(up: Up, breast: Path, first: dict) -> None:  # type: ignore[type-arg]
    experiment = up.client.get_run(first["run_id"]).info.experiment_id
    before = len(up.client.search_runs([experiment]))
    done = franklin("plan", breast, *SHORT, home=up.home, COLUMNS="160")
    assert done.returncode == 0, done.stderr
    words = {word for line in done.stdout.splitlines() for word in line.split()[:1]}
    assert {"single", "ddp", "fsdp", "tensor", "pipeline", "local_sgd", "async"} <= words
    assert "prepare" not in done.stderr  # what was prepared is taken
    assert len(up.client.search_runs([experiment])) == before


def test_mlflow_has_what_the_summary_promised(up: Up, first: dict) -> None:  # type: ignore[type-arg]
    run = up.client.get_run(first["run_id"])
    assert run.info.status == "FINISHED"
    assert run.data.metrics["test_auc"] == first["metrics"]["test"]["auc"]["value"]
    assert run.data.metrics["baseline_test_auc"] == 0.5
    assert {"strategy", "fingerprint", "git_commit", "prefect_flow_run_id"} <= run.data.tags.keys()
    assert {"learning_rate", "batch_size", "hidden", "world_size", "seed"} <= run.data.params.keys()
    assert all(len(value) < 100 for value in run.data.params.values())
    assert len(run.data.params) < 25
    (logged,) = [each.dataset for each in run.inputs.dataset_inputs]
    assert logged.name == "breast"
    assert len(json.loads(logged.schema)["mlflow_colspec"]) == 30
    assert Path(json.loads(logged.source)["uri"]).is_dir()
    figures = [file.path for file in up.client.list_artifacts(first["run_id"], "figures")]
    assert len(figures) >= 3
    check_profile(up, first["run_id"])
    below = children(up, first["run_id"])
    assert {child.data.tags["stage"] for child in below} == {"prepare", "train", "evaluate", "register"}
    for child in below:
        assert child.data.metrics["seconds"] > 0
        assert child.data.metrics["peak_memory_bytes"] > 0
    assert len(up.client.get_metric_history(first["run_id"], "validation_loss")) == 8


def test_prefect_knows_the_mlflow_run(up: Up, first: dict) -> None:  # type: ignore[type-arg]
    flow_run = up.client.get_run(first["run_id"]).data.tags["prefect_flow_run_id"]
    variables = {**os.environ, "PREFECT_API_URL": f"{up.prefect}/api"}
    command = [*PREFECT, "flow-run", "inspect", flow_run]
    shown = subprocess.run(command, env=variables, capture_output=True, text=True, check=True).stdout
    assert first["run_id"] in shown


@pytest.mark.usefixtures("first")
def test_registered_model_takes_raw_rows(up: Up, breast: Path) -> None:
    mlflow.set_tracking_uri(f"sqlite:///{up.home / 'mlflow.db'}")
    model = mlflow.pyfunc.load_model("models:/breast@champion")
    rows = pd.read_csv(breast.parent / "breast.csv")
    right = model.predict(rows.drop(columns="diagnosis"))["prediction"] == rows["diagnosis"]
    assert right.mean() > 0.9


def test_a_second_run_reuses_the_feature_set_and_starts_no_spark(
    up: Up,
    first: dict,
    breast: Path,
    tmp_path: Path,  # type: ignore[type-arg]
) -> None:
    """And a function of one's own, that of docs/data.md, changes its train batches."""
    page = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    (tmp_path / "augment.py").write_text(page.partition("```python")[2].partition("```")[0])
    words = [*SHORT, "strategy=ddp", "feed.transform=augment:noisy", "feed.workers=2", "--json"]
    path = f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"
    second = summary(franklin("run", breast, *words, home=up.home, PYTHONPATH=path))
    assert second["cached"] == ["prepare"]
    check_profile(up, second["run_id"])
    flow_run = up.client.get_run(second["run_id"]).data.tags["prefect_flow_run_id"]
    assert not (up.home / "runs" / flow_run / "prepare.log").exists()
    assert second["world_size"] == 2
    assert second["model_uri"] == "models:/breast/2"
    for name in ("auc", "log_loss"):
        interval = first["metrics"]["test"][name]
        assert interval["low"] <= second["metrics"]["test"][name]["value"] <= interval["high"]


@pytest.mark.soak
@pytest.mark.parametrize("tuner", ["grid", "random", "tpe"])
def test_tuning_hands_its_best_configuration_to_training(up: Up, breast: Path, tuner: str) -> None:
    space = "tuner.space={optimizer.learning_rate: {choices: [0.000001, 0.01]}}"
    words = [f"tuner={tuner}", "tuner.trials=2", "tuner.max_epochs=2", space]
    done = summary(franklin("run", breast, *SHORT, *words, "--json", home=up.home))
    tune, trials = check_tuned(up, done)
    assert {trial.data.tags["mlflow.runName"] for trial in trials} == {"trial-0", "trial-1"}
    assert tune.data.metrics["importance.optimizer.learning_rate"] == 1
    trained = json.loads((Path(done["run_folder"]) / "train" / "train.request.json").read_text())
    assert trained["trainer"]["max_epochs"] == 8
    assert done["seconds"]["tune"] > 0


def check_tuned(up: Up, done: dict[str, Any]) -> tuple[Run, list[Run]]:
    """Training got what the best trial had; the run of the tuning, and those of its trials."""
    below = children(up, done["run_id"])
    (tune,) = [child for child in below if child.data.tags["stage"] == "tune"]
    trials = children(up, tune.info.run_id)
    best = min(trials, key=lambda trial: trial.data.metrics["validation_loss_best"])
    run = up.client.get_run(done["run_id"])
    trained = json.loads((Path(done["run_folder"]) / "train" / "train.request.json").read_text())
    chosen = float(best.data.params["optimizer.learning_rate"])
    assert trained["optimizer"]["learning_rate"] == float(run.data.params["learning_rate"]) == chosen
    return tune, trials


def check_profile(up: Up, run_id: str) -> None:
    """What the columns look like is kept with the run."""
    logged = {file.path: file.file_size for file in up.client.list_artifacts(run_id, "profile")}
    assert logged.keys() == {"profile/profile.html", "profile/profile.json"}
    assert 0 < logged["profile/profile.html"] < 200_000


def children(up: Up, run_id: str) -> list[Run]:
    """The MLflow runs right below one."""
    experiment = up.client.get_run(run_id).info.experiment_id
    return list(up.client.search_runs([experiment], f"tags.mlflow.parentRunId = '{run_id}'"))


@pytest.mark.soak
def test_a_killed_rank_is_resumed_from_its_checkpoint(up: Up, breast: Path) -> None:
    words = ["trainer.max_epochs=80", "trainer.patience=80", "feed.batch_size=64", "--json"]
    variables = {**os.environ, "FRANKLIN_HOME": str(up.home)}
    flow = subprocess.Popen(
        [*FRANKLIN, "run", str(breast), *words],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    rank = wait_for_rank(flow.pid, up.home)
    rank.kill()
    out, err = flow.communicate(timeout=300)
    assert flow.returncode == 0, err
    assert "resumed at step" in err
    assert json.loads(out.splitlines()[-1])["metrics"]["test"]["auc"]["value"] > 0.95


@pytest.mark.parametrize(
    "sent", [signal.SIGINT, *(pytest.param(sent, marks=pytest.mark.soak) for sent in (signal.SIGTERM, signal.SIGHUP))]
)
def test_an_interrupted_run_leaves_nothing_alive_and_is_killed_in_mlflow(up: Up, breast: Path, sent: int) -> None:
    words = ["trainer.max_epochs=4000", "trainer.patience=4000", "strategy=ddp", "feed.batch_size=64"]
    with started(up.home, breast, *words) as flow:
        wait_for_rank(flow.pid, up.home)
        end_and_look(flow, up, sent)


@pytest.mark.soak
def test_under_nohup_a_run_outlives_its_terminal(up: Up, breast: Path) -> None:
    words = ["trainer.max_epochs=4000", "trainer.patience=4000", "feed.batch_size=64"]
    with started(up.home, breast, *words, before=["nohup"]) as flow:
        wait_for_rank(flow.pid, up.home)
        flow.send_signal(signal.SIGHUP)
        time.sleep(3)
        assert flow.poll() is None
        end_and_look(flow, up, signal.SIGTERM)


@pytest.mark.soak
def test_two_first_runs_in_one_home_both_end_well(tmp_path: Path, breast: Path) -> None:
    with started(tmp_path, breast, *SHORT) as one, started(tmp_path, breast, *SHORT) as other:
        assert (one.wait(270), other.wait(270)) == (0, 0)
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("breast").experiment_id])
    assert {run.info.status for run in runs} == {"FINISHED"}


@pytest.mark.soak
def test_a_run_whose_servers_are_killed_ends_well_all_the_same(tmp_path: Path, breast: Path) -> None:
    with servers_up(tmp_path) as (servers, up):
        words = ["trainer.max_epochs=150", "trainer.patience=150", "feed.batch_size=64"]
        with started(tmp_path, breast, *words) as flow:
            wait_for_rank(flow.pid, tmp_path)
            servers.kill()
            deadline = time.monotonic() + 200  # Prefect goes on looking for its server for minutes
            while newest(up).info.status == "RUNNING":
                assert time.monotonic() < deadline
                time.sleep(0.5)
        assert newest(up).info.status == "FINISHED"
        assert {run.info.status for run in children(up, newest(up).info.run_id)} == {"FINISHED"}


@pytest.mark.soak
@pytest.mark.parametrize("stage", ["prepare", "tune/trial-0/train", "evaluate", "register"])
def test_a_run_interrupted_in_any_stage_leaves_nothing_alive(up: Up, breast: Path, stage: str) -> None:
    anew = f"data.rare_below={10 + len(stage)}"  # another fingerprint, so Spark works
    words = [*SHORT, anew, "tuner=random", "tuner.trials=1", "tuner.max_epochs=2"]
    with started(up.home, breast, *words) as flow:
        wait_for_engine(flow.pid, f"{stage}.request.json")
        end_and_look(flow, up, signal.SIGTERM)
    left = [path.name for path in (up.home / "feature_sets").iterdir() if not (path / "manifest.json").exists()]
    assert [name for name in left if not name.endswith(".lock")] == []


@pytest.mark.soak
def test_a_run_cancelled_in_the_prefect_ui_ends_and_one_killed_outright_is_closed(up: Up, breast: Path) -> None:
    words = ["trainer.max_epochs=4000", "trainer.patience=4000", "strategy=ddp", "feed.batch_size=64"]
    with temporary_settings({PREFECT_API_URL: f"{up.prefect}/api"}), get_client(sync_client=True) as prefect:
        with started(up.home, breast, *words) as flow:
            wait_for_rank(flow.pid, up.home)
            first = newest(up)
            below = psutil.Process(flow.pid).children(recursive=True)
            prefect.set_flow_run_state(flow_run_of(first), State(type=StateType.CANCELLING))
            assert flow.wait(40) != 0
        assert psutil.wait_procs(below, timeout=1)[1] == []
        assert up.client.get_run(first.info.run_id).info.status == "KILLED"
        assert prefect.read_flow_run(flow_run_of(first)).state_name == "Cancelled"

        with started(up.home, breast, *words) as flow:
            wait_for_rank(flow.pid, up.home)
            second = newest(up)
            flow.kill()
        assert prefect.read_flow_run(flow_run_of(second)).state_name == "Running"
        summary(franklin("run", breast, *SHORT, "--json", home=up.home))
        assert up.client.get_run(second.info.run_id).info.status == "KILLED"
        assert prefect.read_flow_run(flow_run_of(second)).state_name == "Crashed"


def newest(up: Up) -> Run:
    """The last flow's MLflow run."""
    experiment = up.client.get_experiment_by_name("breast").experiment_id
    return next(run for run in up.client.search_runs([experiment]) if "strategy" in run.data.tags)


def flow_run_of(run: Run) -> UUID:
    return UUID(run.data.tags["prefect_flow_run_id"])


@contextmanager
def started(home: Path, table: Path, *words: str, before: Sequence[str] = ()) -> Iterator["subprocess.Popen[bytes]"]:
    """A run that goes on, and that is ended if it still does."""
    variables = variables_of(home)
    command = [*before, *FRANKLIN, "run", str(table), *words]
    flow = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        yield flow
    finally:
        if flow.poll() is None:
            flow.kill()
            flow.wait()


def end_and_look(flow: "subprocess.Popen[bytes]", up: Up, sent: int) -> None:
    """Send a signal to a flow; what is left of it."""
    below = psutil.Process(flow.pid).children(recursive=True)
    assert below
    flow.send_signal(sent)
    assert flow.wait(40) != 0
    assert psutil.wait_procs(below, timeout=1)[1] == []
    assert flow.stderr is not None
    said = flow.stderr.read().decode().splitlines()
    if sent != signal.SIGHUP:  # its terminal is gone
        assert said[-1].startswith("franklin: ")
        assert said[-1].endswith("; everything that was started has been ended")
        assert [line for line in said if line.startswith("✗ ")][-1].endswith("cancelled")
    latest = newest(up)
    assert latest.info.status == "KILLED"
    stages = children(up, latest.info.run_id)
    last, *others = sorted(stages, key=lambda run: -run.info.start_time)
    assert last.info.status == "KILLED"
    assert {run.info.status for run in others} <= {"FINISHED"}


def wait_for_engine(flow: int, request: str) -> None:
    """Return once an engine below the process `flow` has begun with its request."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        # Not the guard, which has the engine's command among its own.
        if any(command[-1].endswith(request) and "flows.supervise" not in command for _, command in below(flow)):
            time.sleep(1.5)
            return
        time.sleep(0.1)
    raise TimeoutError(f"no engine got {request}")


def wait_for_rank(flow: int, home: Path) -> psutil.Process:
    """A rank below the process `flow` that has written a checkpoint."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for process, command in below(flow):
            if "models.train" in command and "torch.distributed.run" not in command:
                folder = Path(command[-1]).parent / "checkpoints"
                if folder.is_relative_to(home) and any(folder.glob("step-*[0-9]")):
                    return process
        time.sleep(0.1)
    raise TimeoutError("no rank wrote a checkpoint")


def below(pid: int) -> Iterator[tuple[psutil.Process, list[str]]]:
    """Every process below one, with its command."""
    for process in psutil.Process(pid).children(recursive=True):
        try:
            command = process.cmdline()
        except psutil.NoSuchProcess:
            continue
        if command:
            yield process, command
