"""Versions, aliases and the decision: first, better, no better, dry, disabled, and a champion that can't compete."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

from conf.data import Task
from conf.exchange import RegisterRequest
from conf.splits import HashSplit
from models.serving.promotion import Champion, Contest
from models.serving.register import champion_version, register
from tests.models.trained import Trained, weights_of

NewRequest = Callable[[Trained, str], RegisterRequest]


@pytest.fixture(scope="module")
def untrained(trained: dict[Task, Trained]) -> Trained:
    """A network for the same rows that has learned nothing."""
    good = trained["binary"]
    path = good.weights.with_name("untrained.pt")
    return replace(good, weights=weights_of(good.feature_set, good.manifest, path, epochs=0))


def test_a_version_becomes_champion_when_it_beats_the_champion(
    trained: dict[Task, Trained], untrained: Trained, new_request: NewRequest
) -> None:
    first = register(new_request(untrained, "improving"))
    assert (first.version, first.alias, first.decision) == (1, "champion", "first champion")
    request = new_request(trained["binary"], "improving")
    assert register(request.model_copy(update={"promotion": "disabled"})).alias == "challenger"
    dry = register(request.model_copy(update={"promotion": "dry_run"}))
    assert dry.alias == "challenger"
    assert dry.decision.startswith("dry run, nothing changes: beats champion version 1")
    client = MlflowClient(request.track.uri)
    assert champion_version(client, "improving") == 1

    better = register(request)
    assert (better.version, better.alias) == (4, "champion")
    assert better.decision.startswith("beats champion version 1: AUC gain +0.")
    assert champion_version(client, "improving") == 4
    tags = client.get_model_version("improving", "4").tags
    assert tags["decision"] == better.decision
    assert tags["previous_champion"] == "1"
    assert "'1'" in tags["way_back"]
    run = client.get_run(request.track.run_id)
    assert run.info.status == "RUNNING"
    assert run.data.tags["decision"] == better.decision
    assert run.data.metrics["promotion_gain_low"] > 0
    assert run.data.metrics["holdout_auc"] > 0.8

    same = register(new_request(trained["binary"], "improving"))
    assert (same.version, same.alias) == (5, "challenger")
    assert "champion version 4 stays" in same.decision
    assert champion_version(client, "improving") == 4
    assert int(client.get_model_version_by_alias("improving", "challenger").version) == 5


def test_a_champion_that_takes_other_columns_stays_and_the_reason_is_said(
    trained: dict[Task, Trained], new_request: NewRequest, tmp_path: Path
) -> None:
    register(new_request(trained["binary"], "columns"))
    from tests.feature_sets import write_feature_set

    manifest = write_feature_set(tmp_path / "set", "binary", 400, categorical=False)
    weights = weights_of(tmp_path / "set", manifest, tmp_path / "weights.pt", epochs=1)
    other = Trained(tmp_path / "set", manifest, weights, trained["binary"].model)
    result = register(new_request(other, "columns"))
    assert result.alias == "challenger"
    assert "champion version 1 stays: it can't score these rows" in result.decision
    assert "carrier" in result.decision


def test_a_champion_of_another_split_is_not_compared(trained: dict[Task, Trained], new_request: NewRequest) -> None:
    register(new_request(trained["binary"], "split"))
    other = HashSplit(by="hash", validation=0.1, test=0.3)
    result = register(new_request(trained["binary"], "split").model_copy(update={"split": other}))
    assert result.alias == "challenger"
    assert "champion version 1 stays: its split was" in result.decision
    assert "it may have learned from these rows" in result.decision


def test_a_champion_of_another_task_stays(trained: dict[Task, Trained], new_request: NewRequest) -> None:
    register(new_request(trained["multiclass"], "task"))
    result = register(new_request(trained["regression"], "task"))
    assert "champion version 1 stays: it can't score these rows (its prediction is no number)" in result.decision


def test_a_model_that_encodes_otherwise_than_spark_is_never_registered(
    trained: dict[Task, Trained], new_request: NewRequest, tmp_path: Path
) -> None:
    good = trained["regression"]
    shutil.copytree(good.feature_set, tmp_path / "set")
    column = good.manifest.columns[0]
    wrong = column.model_copy(update={"mean": 0.0})
    broken = good.manifest.model_copy(update={"columns": [wrong, *good.manifest.columns[1:]]})
    (tmp_path / "set" / "manifest.json").write_text(broken.model_dump_json(), encoding="utf-8")
    request = new_request(replace(good, feature_set=tmp_path / "set"), "broken")
    with pytest.raises(RuntimeError, match="differ from the evaluation's"):
        register(request)
    assert not MlflowClient(request.track.uri).search_registered_models("name = 'broken'")


def test_promotion_needs_more_than_noise() -> None:
    generator = np.random.default_rng(0)
    label = generator.integers(0, 2, 400) * 1.0
    good = np.clip(0.3 * label + 0.7 * generator.random(400), 0, 1)
    contest = Contest("binary", label, bootstrap=200, seed=1)
    noisy = np.clip(good + generator.normal(0, 0.001, 400), 0, 1)
    assert not contest.decide(noisy, Champion(1, good)).wins
    assert not contest.decide(good, Champion(1, noisy)).wins
    assert contest.decide(good, Champion(1, generator.random(400))).wins
    assert contest.decide(good, None).wins
    one_class = Contest("binary", np.zeros(400), bootstrap=20, seed=1)
    assert "AUC is not defined" in one_class.decide(good, Champion(1, noisy)).text


@pytest.mark.parametrize("better", [True, False])
def test_a_gain_is_positive_where_lower_is_better(better: bool) -> None:
    label = np.linspace(0, 100, 300)
    error = np.random.default_rng(0).normal(0, 5, 300)
    near, far = label + error, label + 2 * error
    ours, theirs = (near, far) if better else (far, near)
    decision = Contest("regression", label, bootstrap=100, seed=1).decide(ours, Champion(1, theirs))
    assert decision.wins is better
    assert (decision.metrics["gain"] > 0) is better
    assert decision.metrics["gain_low"] <= decision.metrics["gain"] <= decision.metrics["gain_high"]
