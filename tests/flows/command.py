"""Runs the franklin command as a person does."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

FRANKLIN = [sys.executable, "-m", "flows.cli"]
PREFECT = [sys.executable, "-m", "prefect"]


def variables_of(home: Path, **others: str) -> dict[str, str]:
    """Variables of a command in a home; MLflow sets one here, by which it would write elsewhere."""
    own = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    return {**own, "FRANKLIN_HOME": str(home), **others}


def franklin(*arguments: object, home: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run the command to its end."""
    command = [*FRANKLIN, *(str(argument) for argument in arguments)]
    variables = variables_of(home, **environment)
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=540)


def summary(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    """The run summary of a `franklin run ... --json` that went well."""
    assert done.returncode == 0, done.stderr
    last: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return last


def complaint(done: "subprocess.CompletedProcess[str]") -> str:
    """The one line with which a command failed."""
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("franklin: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]
