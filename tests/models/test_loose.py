"""Loosely coupled ranks, launched: they end near where one process ends, and lose nothing on the way."""

from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from conf.compose import compose
from conf.errors import FranklinError
from conf.exchange import Track, TrainResult
from conf.fault import Fault
from conf.strategies import StrategyName
from tests.models import launch
from tests.models.launch import PLAIN, assert_same, kill, ranks_of, wait_for_checkpoint, weights
from tests.stores import new_store

NEAR = 0.1  # of the validation loss, after so few steps: theirs are not those of one process


@pytest.mark.distributed
@pytest.mark.parametrize(
    ("other", "ranks"),
    [pytest.param("ddp", 2, marks=pytest.mark.soak), pytest.param("local_sgd", 3, marks=pytest.mark.soak)],
)
def test_others_go_on_with_what_ranks_had_learnt_apart(
    other: StrategyName, ranks: int, feature_set: Path, single: TrainResult, tmp_path: Path
) -> None:
    wanted = launch.request(feature_set, tmp_path, "local_sgd", 2, **PLAIN, checkpoint_steps=3)
    with launch.start(wanted) as agent:
        wait_for_checkpoint(wanted.run_folder, after_step=30)
        kill([agent.pid, *ranks_of(agent)])
        agent.communicate(timeout=60)
    resumed = launch.run(launch.request(feature_set, tmp_path, other, ranks, **PLAIN, checkpoint_steps=3))
    assert 30 < resumed.resumed_from_step < resumed.steps == single.steps
    assert resumed.validation_loss == pytest.approx(single.validation_loss, rel=NEAR)


@pytest.mark.distributed
@pytest.mark.soak
def test_ranks_that_were_together_go_on_apart(feature_set: Path, single: TrainResult, tmp_path: Path) -> None:
    launch.run(launch.request(feature_set, tmp_path, "ddp", 2, **PLAIN | {"max_epochs": 2}))
    (tmp_path / "answer.json").unlink()
    resumed = launch.run(launch.request(feature_set, tmp_path, "local_sgd", 2, **PLAIN))
    assert 0 < resumed.resumed_from_step < resumed.steps == single.steps
    assert resumed.validation_loss == pytest.approx(single.validation_loss, rel=NEAR)


@pytest.mark.distributed
def test_one_rank_alone_is_never_late_and_does_what_one_process_does(
    feature_set: Path, single: TrainResult, tmp_path: Path
) -> None:
    alone = launch.run(launch.request(feature_set, tmp_path, "async", 1, **PLAIN))
    assert_same(weights(alone), weights(single))
    assert alone.metrics["staleness_max"] == 0


@pytest.mark.distributed
@pytest.mark.soak
def test_a_killed_training_without_a_barrier_goes_on(feature_set: Path, single: TrainResult, tmp_path: Path) -> None:
    wanted = launch.request(feature_set, tmp_path, "async", 2, **PLAIN, checkpoint_steps=3)
    resumed = launch.run_and_kill(wanted, after_step=30)
    assert resumed.steps == single.steps
    assert resumed.validation_loss == pytest.approx(single.validation_loss, rel=NEAR)


@pytest.mark.distributed
def test_how_late_gradients_were_is_told_in_full(feature_set: Path, tmp_path: Path) -> None:
    uri = new_store(tmp_path)
    client = MlflowClient(uri)
    run = client.create_run(client.create_experiment("training", artifact_location=str(tmp_path))).info.run_id
    wanted = launch.request(feature_set, tmp_path / "run", "async", 2, **PLAIN)
    strategy = launch.parallel("async", world_size=2, max_staleness=3)
    changes = {"track": Track(uri=uri, run_id=run), "strategy": strategy, "fault": Fault(slow_rank=1, slow_factor=10)}
    result = launch.run(wanted.model_copy(update=changes))
    history = client.get_metric_history(run, "staleness")
    counts = {metric.step: metric.value for metric in history}
    assert list(counts) == [0, 1, 2, 3]
    assert sum(counts.values()) == result.steps
    mean = sum(late * count for late, count in counts.items()) / result.steps
    assert result.metrics["staleness_mean"] == pytest.approx(mean)
    assert result.metrics["rank_1_rows_share"] < 0.4  # the slow rank takes fewer


@pytest.mark.distributed
@pytest.mark.soak
def test_a_loss_that_is_not_finite_ends_whoever_serves_too(feature_set: Path, tmp_path: Path) -> None:
    wanted = launch.request(feature_set, tmp_path / "nan", "async", 2, learning_rate=1e30)
    with launch.start(wanted) as agent:
        agent.communicate(timeout=60)
    assert agent.returncode == 1
    assert launch.answer(wanted)["error"].startswith("numbers are not finite at step ")
    assert "start again" not in launch.log(wanted)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (["strategy=async", "trainer.average=0.9"], r"^strategy=async has no weights .* say trainer.average=null$"),
        (["strategy=async", "trainer.accumulate=2"], r"^strategy=async takes .* say trainer.accumulate=1$"),
        (["strategy=async", "feed.layout=stored"], r"^strategy=async needs all rows at hand, .* feed.layout=mapped$"),
        (["strategy=async", "strategy.max_staleness=0"], r"^strategy.max_staleness: must be greater than 0"),
        (["trainer.average=0.9"], r"^strategy=local_sgd has no weights .* say trainer.average=null$"),
        (["strategy.every=0"], r"^strategy.every: must be greater than 0, not 0$"),
        (["strategy.outer_momentum=1"], r"^strategy.outer_momentum: must be less than 1, not 1$"),
    ],
)
def test_what_ranks_that_step_alone_cannot_do(changes: list[str], line: str) -> None:
    with pytest.raises(FranklinError, match=line):
        compose("flights_delay", ["strategy=local_sgd", *changes])
