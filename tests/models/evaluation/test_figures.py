"""Pictures of awkward splits: few rows, many classes, scores that tie."""

from pathlib import Path

import numpy as np
import pytest

from conf.data import Task
from conf.manifest import Label, Manifest
from models.evaluation.bootstrap import estimates
from models.evaluation.figures import draw
from models.evaluation.figures.classes import reliability
from models.evaluation.figures.page import number
from models.evaluation.metrics import Floats, judge
from models.evaluation.predictions import Predictions


def manifest_of(task: Task, classes: int) -> Manifest:
    label = Label(
        name="label",
        classes=[f"class {code}" for code in range(classes)],
        prior=[1 / classes] * classes if classes else [],
        mean=0,
        scale=1,
    )
    return Manifest(
        name="awkward",
        task=task,
        label=label,
        columns=[],
        splits={},
        holdout=[],
        rows_in=0,
        quarantined={},
        set_aside={},
        inferred={},
        example=[],
        inputs=[],
        fingerprint="none",
        created="2026-01-01",
    )


@pytest.mark.parametrize(
    ("task", "classes", "rows"),
    [("binary", 2, 3), ("binary", 2, 200), ("multiclass", 30, 400), ("regression", 0, 2), ("regression", 0, 50)],
)
@pytest.mark.parametrize("constant", [False, True])
def test_awkward_splits_are_drawn(task: Task, classes: int, rows: int, constant: bool, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    label = (np.arange(rows) % classes if classes else generator.normal(size=rows)).astype(np.float64)
    scores = generator.dirichlet(np.ones(classes), rows) if task == "multiclass" else generator.random(rows)
    scores = scores[:1].repeat(rows, axis=0) if constant else scores
    test = Predictions(scores, label)
    judged = judge(task, scores, label)
    draw(test, manifest_of(task, classes), estimates(judged, rows, 20, seed=0), judged(np.ones(rows)), tmp_path)
    assert len(list(tmp_path.glob("*.png"))) >= 3


def test_a_calibrated_model_lies_on_the_diagonal() -> None:
    generator = np.random.default_rng(0)
    scores = generator.random(50_000)
    truth: Floats = (generator.random(50_000) < scores) * 1.0
    mean, share, margin = reliability(scores, truth)
    assert len(mean) == 10
    assert (np.abs(share - mean) < 2 * margin.max(axis=0)).all()


def test_numbers_read_well() -> None:
    assert [number(value) for value in (-2e-05, 0.68751, 12.4567, 123456.7)] == ["0.0000", "0.6875", "12.46", "123,457"]
