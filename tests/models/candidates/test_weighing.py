"""Weights of an ensemble."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.data import Task
from models.candidates.weighing import MOST_SCORES, Said, blend, weigh
from models.evaluation.metrics import judge, main_metric

ROWS = 60


def folds(task: Task, seed: int, members: int, count: int = 3, rows: int = ROWS) -> list[Said]:
    """Members that know the label, each with noise of its own."""
    generator, found = np.random.default_rng(seed), []
    for _ in range(count):
        noise = generator.normal(size=(members, rows)) * generator.uniform(0.5, 3, (members, 1))
        if task == "regression":
            label = generator.normal(size=rows)
            found.append(Said(label + noise, label))
            continue
        label = np.arange(rows) % (2 if task == "binary" else 3) * 1.0
        sure = 1 / (1 + np.exp(noise - (label == 1)))
        if task == "binary":
            found.append(Said(1 - sure, label))
        else:
            rest = np.stack([sure / 2, 1 - sure, sure / 2], axis=-1)
            found.append(Said(rest, label))
    return found


def reached(task: Task, said: list[Said], weights: np.ndarray) -> float:
    """Mean of the main metric over folds, such that more is better."""
    metric = main_metric(task)
    values = [
        judge(task, blend(fold.scores, weights), fold.label)(np.ones(len(fold.label)))[metric.name] for fold in said
    ]
    return float(np.mean(values)) * (1 if metric.higher_is_better else -1)


@settings(max_examples=25)
@given(task=st.sampled_from(["binary", "multiclass", "regression"]), seed=st.integers(0, 99), members=st.integers(1, 5))
def test_an_ensemble_is_no_worse_than_its_best_member_on_what_chose_it(task: Task, seed: int, members: int) -> None:
    said = folds(task, seed, members)
    weights = weigh(task, said, seed)
    assert weights.shape == (members,)
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1)
    alone = max(reached(task, said, row) for row in np.eye(members))
    assert reached(task, said, weights) >= alone - 1e-12


def test_who_knows_the_label_is_taken_alone() -> None:
    said = [Said(np.vstack([fold.scores, fold.label]), fold.label) for fold in folds("regression", 0, 2)]
    assert weigh("regression", said, 0).tolist() == [0, 0, 1]


def test_independent_errors_are_averaged() -> None:
    label = np.random.default_rng(0).normal(size=4000)
    noise = np.random.default_rng(1).normal(size=(2, 4000))
    assert weigh("regression", [Said(label + noise, label)], 0) == pytest.approx([0.5, 0.5], abs=0.06)


def test_of_many_rows_some_are_looked_at_unless_they_have_one_class_alone() -> None:
    rows = 2 * MOST_SCORES
    rare = np.zeros(rows)
    rare[:3] = 1
    scores = np.stack([np.random.default_rng(0).random(rows), rare])
    assert weigh("binary", [Said(scores, rare)], 0).tolist() == [0, 1]
