"""What a service that fits in Spark answers is judged as what fits here is; the service here is a line of Python."""

import sys
from pathlib import Path

import numpy as np
import pytest

from conf.selecting import Fit, FitTask
from models.candidates.boosted import HELD
from models.candidates.inspark import SparkFits
from models.candidates.learning import parts
from tests.models.candidates.contests import contest_request, made_rows

SERVICE = """
import json, sys, numpy
for line in sys.stdin:
    task = json.loads(line)
    if task["stop"]:
        numpy.save("{folder}/stopped", numpy.load(task["stop"]))
    numpy.save(task["scores"], numpy.array({scores}))
    told = dict(phase="fold", fold=0, rows=2, values={{}}, metrics={{}}, seconds=1, processor_seconds=1)
    print(json.dumps(told | dict(candidate=task["candidate"], peak_memory_bytes=1)), flush=True)
"""
POOL = made_rows("binary", [0, 1, 0, 1], np.zeros((4, 1)))


@pytest.mark.parametrize(
    ("scores", "failure"),
    [
        ("[.1, .9]", None),
        ("[.1, numpy.nan]", "1 of its 2 scores are no finite numbers"),
        ("[[.1, .9]]", "its scores have the shape (1, 2), not (2,)"),
    ],
)
def test_scores_that_nobody_can_judge_are_a_failed_fit(scores: str, failure: str | None, tmp_path: Path) -> None:
    np.save(tmp_path / "learn.npy", np.arange(2))
    np.save(tmp_path / "held.npy", np.arange(2, 4))
    task = FitTask.model_validate(
        {"candidate": "ridge", "phase": "fold", "fold": 0, "seed": 0, "values": {}, "model": None, "memory_bytes": 1}
        | {"learn": tmp_path / "learn.npy", "held": tmp_path / "held.npy", "scores": tmp_path / "scores.npy"}
        | {"timeout_seconds": 1, "threads": 1}
    )
    command = [sys.executable, "-c", SERVICE.format(scores=scores, folder=tmp_path)]
    with SparkFits(command, contest_request(tmp_path, tmp_path), POOL, POOL) as fits:
        found: list[Fit] = []
        fits.do([task], found.append)
    (fit,) = found
    assert fit.failure == failure
    assert fit.metrics.get("auc") == (1.0 if failure is None else None)
    assert (fit.scores is None) == (failure is not None)
    assert not (tmp_path / "stopped.npy").exists()


@pytest.mark.parametrize("where", [None, [0] * 10 + [1] * 10 + [2] * 20])
def test_boosting_stops_by_the_rows_that_it_would_hold_out_here(where: list[int] | None, tmp_path: Path) -> None:
    days = None if where is None else np.array(where)
    pool = made_rows("binary", [0, 1] * 20, np.zeros((40, 1)), where=days)
    learn = np.arange(39, -1, -2)
    np.save(tmp_path / "learn.npy", learn)
    told = {"phase": "fold", "fold": 0, "seed": 3, "values": {}, "model": None, "memory_bytes": 1}
    files = {"learn": tmp_path / "learn.npy", "held": None, "scores": tmp_path / "scores.npy"}
    task = FitTask.model_validate({"candidate": "xgboost"} | told | files | {"timeout_seconds": 1, "threads": 1})
    command = [sys.executable, "-c", SERVICE.format(scores="[.1, .9, .1, .9]", folder=tmp_path)]
    with SparkFits(command, contest_request(tmp_path, tmp_path), pool, POOL) as fits:
        fits.do([task], list[Fit]().append)
    found = np.load(tmp_path / "stopped.npy")
    _, held = parts(pool.take(learn), HELD, 3)
    assert list(found) == list(learn[held])
    assert len(found) == (2 if where is None else 10)
    assert where is None or set(days[found]) == {2}  # type: ignore[index]


def test_a_model_that_is_not_there_is_a_failed_fit(tmp_path: Path) -> None:
    np.save(tmp_path / "learn.npy", np.arange(4))
    told = {"phase": "final", "fold": -1, "seed": 3, "values": {}, "model": tmp_path, "memory_bytes": 2**30}
    files = {"learn": tmp_path / "learn.npy", "held": None, "scores": tmp_path / "scores.npy"}
    task = FitTask.model_validate({"candidate": "ridge"} | told | files | {"timeout_seconds": 1, "threads": 1})
    command = [sys.executable, "-c", SERVICE.format(scores="[.1, .9, .1, .9]", folder=tmp_path)]
    with SparkFits(command, contest_request(tmp_path, tmp_path), POOL, POOL) as fits:
        found: list[Fit] = []
        fits.do([task], found.append)
    (fit,) = found
    assert str(fit.failure).startswith("FileNotFoundError")
    assert str(fit.failure).endswith(", while what Spark had fitted was brought here")
    assert fit.seconds > 1  # what the service says it has taken, and bringing
