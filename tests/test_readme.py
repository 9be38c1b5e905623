"""The README is a promise: its commands run."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from conf.manifest import read_manifest
from tests.flows.command import franklin, summary
from tests.flows.fixtures import Up
from tests.flows.test_run import check_tuned
from tests.spark_jobs.test_parity import check_parity

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
LINES = [line.split("#")[0].strip() for block in BLOCKS for line in block.splitlines()]
FRANKLIN = [line for line in LINES if re.match(r"franklin (run|config) \w+( |$)", line)]
(OWN_TABLE,) = [block for block in BLOCKS if "weather.yaml" in block]


def test_every_line_is_tested_somewhere() -> None:
    others = {
        "make demo": "the commands of test_run; on all flights in test_accuracy, by make soak",
        "make test": "this run",
        ".venv/bin/franklin up": "the fixture up",
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
@pytest.mark.parametrize("line", FRANKLIN)
def test_a_command_runs(line: str, up: Up, few_flights: Path) -> None:
    """On one flight in 25 and with short trainings."""
    words = shlex.split(line)[1:]
    if words[0] == "config":
        assert "learning_rate: 0.01" in franklin(*words, home=up.home).stdout
        return
    short = [f"data.path={few_flights}", "trainer.max_epochs=1", *(["tuner.trials=1"] if "tuner=tpe" in words else [])]
    done = summary(franklin(*[w for w in words if w != "--json"], *short, "--json", home=up.home))
    assert done["metrics"]["test"]
    if "tuner=tpe" in words:
        check_tuned(up, done)


@pytest.mark.e2e
@pytest.mark.server
def test_the_own_table_runs(up: Up, tmp_path: Path) -> None:
    (tmp_path / ".venv").symlink_to(sys.prefix)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    variables = {**os.environ, "PATH": path, "FRANKLIN_HOME": str(up.home)}
    script = OWN_TABLE.replace("franklin run weather.yaml", "franklin run weather.yaml trainer.max_epochs=3 --json")
    done = subprocess.run(
        ["sh", "-e", "-c", script], cwd=tmp_path, env=variables, capture_output=True, text=True, check=False
    )
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
    assert metrics["auc"]["value"] >= 0.685 if "auc" in metrics else metrics["rmse"]["value"] <= 12.5
    rows = {"train": 217_727, "validation": 55_628, "test": 53_991, "set_aside": 9_430, "quarantined": 0}
    assert done["rows"] == rows
    trained = json.loads((Path(done["run_folder"]) / "train" / "train.request.json").read_text())
    check_parity(Path(trained["feature_set"]), read_manifest(trained["feature_set"]))
