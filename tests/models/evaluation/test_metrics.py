"""Every metric equals scikit-learn's, weighted or not, with ties or without, and knows its direction."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from torch import Tensor, nn

from conf.data import Task
from conf.manifest import Label
from models.evaluation.metrics import METRICS, Floats, judge, main_metric, trivial
from models.serving.predict import judge_tokens

seeds = st.integers(0, 2**32 - 1)


def weights_of(generator: np.random.Generator, rows: int) -> Floats:
    """Counts of a resample in which every row of the first ten is there, so that no metric is undefined."""
    return np.concatenate([np.ones(10), generator.integers(0, 4, rows - 10)])


class Said(nn.Module):
    """A network that says this, whatever it is asked."""

    def __init__(self, logits: Tensor) -> None:
        """Take what is said."""
        super().__init__()
        self.logits = logits

    def forward(self) -> Tensor:
        """Say it."""
        return self.logits


@settings(max_examples=60)
@given(seeds, st.integers(10, 300), st.sampled_from([1, 2, 8]))
def test_binary_metrics_are_those_of_scikit_learn(seed: int, rows: int, decimals: int) -> None:
    generator = np.random.default_rng(seed)
    label = np.r_[0.0, 1.0, generator.integers(0, 2, rows - 2)]
    scores = np.round(np.clip(0.2 * label + 0.8 * generator.random(rows), 0.01, 0.99), decimals)
    scores = np.clip(scores, 0.01, 0.99)
    weights = weights_of(generator, rows)
    found = judge("binary", scores, label)(weights)
    assert found == pytest.approx(
        {
            "auc": sk.roc_auc_score(label, scores, sample_weight=weights),
            "average_precision": sk.average_precision_score(label, scores, sample_weight=weights),
            "log_loss": sk.log_loss(label, scores, sample_weight=weights),
            "brier": sk.brier_score_loss(label, scores, sample_weight=weights),
            "accuracy": sk.accuracy_score(label, scores > 0.5, sample_weight=weights),
        }
    )


@settings(max_examples=40)
@given(seeds, st.integers(10, 200), st.integers(3, 5))
def test_multiclass_metrics_are_those_of_scikit_learn(seed: int, rows: int, classes: int) -> None:
    generator = np.random.default_rng(seed)
    label = np.r_[np.arange(classes), generator.integers(0, classes, rows - classes)].astype(np.float64)
    scores = generator.dirichlet(np.ones(classes), rows)
    weights = weights_of(generator, rows)
    found = judge("multiclass", scores, label)(weights)
    kept = {"sample_weight": weights}
    areas = [sk.roc_auc_score(label == code, scores[:, code], **kept) for code in range(classes)]
    assert found == pytest.approx(
        {
            "log_loss": sk.log_loss(label, np.clip(scores, np.finfo(np.float32).eps, 1), **kept),
            "accuracy": sk.accuracy_score(label, scores.argmax(axis=1), **kept),
            "macro_f1": sk.f1_score(label, scores.argmax(axis=1), average="macro", **kept),
            "auc": np.mean(areas),
        },
        rel=1e-5,
    )


@settings(max_examples=40)
@given(seeds, st.integers(10, 200))
def test_regression_metrics_are_those_of_scikit_learn(seed: int, rows: int) -> None:
    generator = np.random.default_rng(seed)
    label = generator.normal(1000, 10, rows)
    scores = label + generator.normal(0, 5, rows)
    weights = weights_of(generator, rows)
    assert judge("regression", scores, label)(weights) == pytest.approx(
        {
            "rmse": sk.root_mean_squared_error(label, scores, sample_weight=weights),
            "mae": sk.mean_absolute_error(label, scores, sample_weight=weights),
            "r2": sk.r2_score(label, scores, sample_weight=weights),
        }
    )


def test_metrics_of_a_sequence_are_means_over_places() -> None:
    logits = torch.randn(6, 5, 3, generator=torch.Generator().manual_seed(1))
    tokens = torch.tensor([[0, 1, 2, 1, 0]] * 6)
    scores = judge_tokens(Said(logits), (), tokens)
    weights = np.array([1.0, 0, 2, 1, 0, 1])
    rows = np.repeat(np.arange(6), weights.astype(int))
    probabilities, truth = logits.double().softmax(2).numpy()[rows].reshape(-1, 3), tokens.numpy()[rows].reshape(-1)
    log_loss = sk.log_loss(truth, probabilities)
    assert judge("sequence", scores, tokens.double().numpy())(weights) == pytest.approx(
        {
            "log_loss": log_loss,
            "bits_per_token": log_loss / np.log(2),
            "perplexity": np.exp(log_loss),
            "accuracy": sk.accuracy_score(truth, probabilities.argmax(axis=1)),
        }
    )


def test_the_trivial_predictor_of_a_sequence_says_how_frequent_tokens_are() -> None:
    label = Label(name="y", classes=["a", "b", "c"], prior=[0.2, 0.5, 0.3], mean=0, scale=1)
    tokens = np.array([[0.0, 1, 2, 1, 0]] * 6)
    found = judge("sequence", trivial("sequence", label, tokens), tokens)(np.ones(6))
    assert found["log_loss"] == pytest.approx(sk.log_loss(tokens[0], np.tile(label.prior, (5, 1))))
    assert found["accuracy"] == pytest.approx(2 / 5)  # those of the most frequent one


def test_what_the_rows_do_not_define_is_left_out() -> None:
    only = np.zeros(20)
    assert judge("binary", np.linspace(0, 1, 20), only)(np.ones(20)).keys() == {"log_loss", "brier", "accuracy"}
    assert "auc" not in judge("multiclass", np.full((20, 3), 1 / 3), only)(np.ones(20))
    assert "r2" not in judge("regression", np.arange(20.0), only)(np.ones(20))


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_perfect_model_beats_the_trivial_one_in_every_metric(task: Task) -> None:
    codes = np.arange(30) % (2 if task == "binary" else 3)
    prior = np.bincount(codes) / 30
    label = Label(name="y", classes=[], prior=prior.tolist(), mean=float(codes.mean()), scale=1)
    perfect = np.eye(3)[codes] if task == "multiclass" else codes.astype(np.float64)
    best = judge(task, perfect, codes.astype(np.float64))(np.ones(30))
    worst = judge(task, trivial(task, label, codes.astype(np.float64)), codes.astype(np.float64))(np.ones(30))
    assert set(best) == set(worst) == {metric.name for metric in METRICS[task]}
    for metric in METRICS[task]:
        assert (best[metric.name] > worst[metric.name]) is metric.higher_is_better


def test_names_and_main_metrics_are_frozen() -> None:
    assert {task: [metric.name for metric in found] for task, found in METRICS.items()} == {
        "binary": ["auc", "average_precision", "log_loss", "brier", "accuracy"],
        "multiclass": ["log_loss", "accuracy", "macro_f1", "auc"],
        "regression": ["rmse", "mae", "r2"],
        "sequence": ["log_loss", "bits_per_token", "perplexity", "accuracy"],
    }
    assert [main_metric(task).name for task in METRICS] == ["auc", "log_loss", "rmse", "log_loss"]
