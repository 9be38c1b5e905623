"""Loosely coupled ranks, launched: they end near where one process ends, and lose nothing on the way."""

from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.loops.training_epoch_loop import _TrainingEpochLoop

from conf.compose import compose
from conf.errors import FranklinError
from conf.exchange import TrainResult
from conf.strategies import StrategyName
from tests.feature_sets import write_feature_set
from tests.models import launch
from tests.models.test_train import kill, wait_for_checkpoint

NEAR = 0.1  # of the validation loss, after so few steps: theirs are not those of one process
PLAIN: dict[str, Any] = {"dropout": 0.0, "learning_rate": 0.003}


@pytest.fixture(scope="module")
def feature_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("binary")
    write_feature_set(folder, "binary")
    return folder


@pytest.fixture(scope="module")
def single(feature_set: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    return launch.run(launch.request(feature_set, tmp_path_factory.mktemp("single"), **PLAIN))


def test_what_lightning_does_before_each_step_has_its_name() -> None:
    assert callable(_TrainingEpochLoop._broadcast_sigterm_tensor)  # else ranks wait for one another there


@pytest.mark.distributed
@pytest.mark.parametrize(("other", "ranks"), [("ddp", 2), pytest.param("local_sgd", 3, marks=pytest.mark.soak)])
def test_others_go_on_with_what_ranks_had_learnt_apart(
    other: StrategyName, ranks: int, feature_set: Path, single: TrainResult, tmp_path: Path
) -> None:
    wanted = launch.request(feature_set, tmp_path, "local_sgd", 2, **PLAIN, checkpoint_steps=3)
    with launch.start(wanted) as group:
        wait_for_checkpoint(wanted.run_folder, after_step=30)
        kill(group)
        group.communicate(timeout=60)
    resumed = launch.run(launch.request(feature_set, tmp_path, other, ranks, **PLAIN, checkpoint_steps=3))
    assert 30 < resumed.resumed_from_step < resumed.steps == single.steps
    assert resumed.validation_loss == pytest.approx(single.validation_loss, rel=NEAR)


@pytest.mark.distributed
def test_ranks_that_were_together_go_on_apart(feature_set: Path, single: TrainResult, tmp_path: Path) -> None:
    launch.run(launch.request(feature_set, tmp_path, "ddp", 2, **PLAIN | {"max_epochs": 2}))
    (tmp_path / "answer.json").unlink()
    resumed = launch.run(launch.request(feature_set, tmp_path, "local_sgd", 2, **PLAIN))
    assert 0 < resumed.resumed_from_step < resumed.steps == single.steps
    assert resumed.validation_loss == pytest.approx(single.validation_loss, rel=NEAR)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (["trainer.average=0.9"], r"^strategy=local_sgd averages weights itself; say trainer.average=null$"),
        (["strategy.every=0"], r"^strategy.every: Input should be greater than 0, not 0$"),
        (["strategy.outer_momentum=1"], r"^strategy.outer_momentum: Input should be less than 1, not 1$"),
    ],
)
def test_what_ranks_that_step_alone_cannot_do(changes: list[str], line: str) -> None:
    with pytest.raises(FranklinError, match=line):
        compose("flights_delay", ["strategy=local_sgd", *changes])
