"""The README is a promise: its commands run."""

import json
import subprocess
from pathlib import Path

import pytest

from conf.manifest import read_manifest
from tests.flows.command import franklin, summary
from tests.flows.fixtures import Up
from tests.flows.runs import FRANKLIN, LINES, OWN_TABLE, SELECT, Runs
from tests.flows.test_run import check_tuned
from tests.spark_jobs.test_parity import check_parity

ROOT = Path(__file__).parent.parent
RUNS = [line for line in FRANKLIN if line.startswith("franklin run")]


def test_every_line_is_tested_somewhere() -> None:
    others = {
        "make demo": "the commands of test_run; on all flights in test_accuracy, by make soak",
        "make test": "this run",
        ".venv/bin/franklin up": "the fixture up",
        SELECT: "before the run that takes what it recommends",
        "export PREFECT_API_URL=http://127.0.0.1:4200/api": "test_deployments",
    }
    deployments = [line for line in LINES if line.startswith("prefect deployment run")]
    own = [line.strip() for line in OWN_TABLE.splitlines()]
    assert set(LINES) == {*others, *FRANKLIN, *deployments, *own}


@pytest.mark.parametrize("target", [line.split()[1] for line in LINES if line.startswith("make ")])
def test_make_knows_its_targets(target: str) -> None:
    subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.e2e
@pytest.mark.server
@pytest.mark.parametrize("line", [pytest.param(line, marks=pytest.mark.runs(line)) for line in RUNS])
def test_a_run_ends_well(line: str, up: Up, runs: Runs) -> None:
    done = summary(runs(line))
    assert done["metrics"]["test"]
    if "tuner=tpe" in line:
        check_tuned(up, done)


@pytest.mark.parametrize("line", [line for line in FRANKLIN if line not in RUNS])
def test_a_configuration_is_printed(line: str, tmp_path: Path) -> None:
    assert "learning_rate: 0.01" in franklin(*line.split()[1:], home=tmp_path).stdout


@pytest.mark.e2e
@pytest.mark.server
@pytest.mark.runs(OWN_TABLE)
def test_the_own_table_runs(runs: Runs) -> None:
    done = runs(OWN_TABLE)
    assert done.returncode == 0, done.stderr
    assert "task inferred: regression" in done.stderr
    metrics = json.loads(done.stdout.splitlines()[-1])
    assert metrics["metrics"]["test"]["rmse"]["value"] < metrics["baseline"]["test"]["rmse"]


@pytest.mark.soak
@pytest.mark.e2e
@pytest.mark.server
@pytest.mark.parametrize(("experiment", "strategy"), [("flights_delay", "ddp"), ("flights_airtime", "single")])
def test_accuracy_on_all_flights(up: Up, experiment: str, strategy: str) -> None:
    done = summary(franklin("run", experiment, f"strategy={strategy}", "--json", home=up.home))
    metrics = done["metrics"]["test"]
    assert metrics["auc"]["value"] >= 0.77 if "auc" in metrics else metrics["rmse"]["value"] <= 12.5
    rows = {"train": 217_727, "validation": 55_628, "test": 53_991, "set_aside": 9_430, "quarantined": 0}
    assert done["rows"] == rows
    trained = json.loads((Path(done["run_folder"]) / "train" / "train.request.json").read_text())
    check_parity(Path(trained["feature_set"]), read_manifest(trained["feature_set"]))
