"""Rows for tests: of arrays, of scikit-learn's bundled sets, and with a signal that is known."""

from typing import Any

import numpy as np
from sklearn import datasets

from conf.data import Task
from models.candidates.rows import Columns, Rows
from models.evaluation.metrics import judge, main_metric

BUNDLED: dict[str, Task] = {"breast_cancer": "binary", "wine": "multiclass", "diabetes": "regression"}


def rows_of(
    numbers: Any, label: Any, task: Task, *, codes: Any = None, where: Any = None, kind: str | None = None
) -> Rows:
    """Make rows of arrays: numbers become standardised, classes go up to the largest code, `where` counts `kind`."""
    numbers = np.asarray(numbers, np.float64)
    scale = numbers.std(axis=0)
    numbers = (numbers - numbers.mean(axis=0)) / np.where(scale > 0, scale, 1)
    codes = np.zeros((len(numbers), 0), np.int32) if codes is None else np.asarray(codes, np.int32)
    label = np.asarray(label, np.float64)
    classes = 0 if task == "regression" else max(2, int(label.max()) + 1)
    columns = Columns(
        task=task,
        numbers=tuple(f"x{place}" for place in range(numbers.shape[1])),
        codes=tuple(f"c{place}" for place in range(codes.shape[1])),
        cardinalities=tuple(int(each.max()) + 1 for each in codes.T),
        classes=tuple(str(code) for code in range(classes)),
        where=kind if where is not None else None,
    )
    return Rows(
        columns, numbers.astype(np.float32), codes, label, None if where is None else np.asarray(where, np.int64)
    )


def bundled(name: str) -> Rows:
    """Make rows of one of scikit-learn's sets, in an order drawn once."""
    numbers, label = getattr(datasets, f"load_{name}")(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(label))
    return rows_of(numbers[order], label[order], BUNDLED[name])


def signal(task: Task, rows: int = 600, *, seed: int = 0) -> Rows:
    """Make rows with a known signal: four numbers, one constant and two the same, two columns of codes, and days."""
    generator = np.random.default_rng(seed)
    numbers = generator.normal(size=(rows, 4))
    numbers[:, 2], numbers[:, 3] = 1.0, numbers[:, 0]
    codes = np.stack([generator.integers(0, 6, rows), generator.integers(0, 40, rows)], axis=1)
    codes[:2] = [[5, 39], [0, 0]]
    score = (
        2 * numbers[:, 0] + numbers[:, 1] + np.array([-2, 2, 0, 1, -1, 0])[codes[:, 0]] + generator.normal(size=rows)
    )
    label = {"regression": 30 + 10 * score, "binary": score > 1, "multiclass": np.digitize(score, [-1.5, 1.5])}[task]
    return rows_of(numbers, label, task, codes=codes, where=np.arange(rows) // 10, kind="day")


def main_score(rows: Rows, scores: Any) -> float:
    """Judge by the main metric, turned so that more is better."""
    metric = main_metric(rows.columns.task)
    value = judge(rows.columns.task, scores, rows.label)(np.ones(len(rows)))[metric.name]
    return value if metric.higher_is_better else -value
