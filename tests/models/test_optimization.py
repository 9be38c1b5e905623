"""Accumulating, averaging, lower precision and compiling: what each promises, in launched runs."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from conf.compose import compose
from conf.exchange import TrainRequest, TrainResult
from conf.manifest import read_manifest
from conf.strategies import StrategyName
from models import networks
from models.criterion import Criterion
from models.feeds.feed import Feed
from models.feeds.stored import Stored
from tests.models import launch, trainings
from tests.models.launch import assert_same, weights
from tests.models.networks.cases import SMALL
from tests.models.test_train import EXACT

pytestmark = pytest.mark.distributed
PLAIN: dict[str, Any] = {"dropout": 0.0, "learning_rate": 0.003, "max_epochs": 2}


def of(batch_size: int, wanted: TrainRequest) -> TrainRequest:
    return wanted.model_copy(update={"feed": wanted.feed.model_copy(update={"batch_size": batch_size})})


@pytest.fixture(scope="module")
def results(feature_set: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, TrainResult]:
    folder = tmp_path_factory.mktemp("optimized")

    def request(name: str, strategy: StrategyName, **settings: Any) -> TrainRequest:
        return launch.request(feature_set, folder / name, strategy, EXACT[strategy], **PLAIN, **settings)

    wanted = {"plain": request("plain", "single"), "average": request("average", "single", average=0.9)}
    wanted["bf16"] = request("bf16", "ddp", precision="bf16-mixed")
    for strategy in EXACT:
        wanted[strategy] = of(50, request(strategy, strategy, accumulate=2, average=0.9))
    return trainings.run(wanted)


@pytest.fixture(scope="module")
def plain(results: dict[str, TrainResult]) -> TrainResult:
    return results["plain"]


@pytest.mark.parametrize("strategy", EXACT)
def test_two_halves_of_a_batch_make_the_same_step(strategy: StrategyName, results: dict[str, TrainResult]) -> None:
    result, whole = results[strategy], results["average"]
    assert result.steps == whole.steps
    assert_same(weights(result), weights(whole), tolerance=1e-4)
    assert result.rows_per_second > 0
    assert result.metrics["activations_bytes"] < whole.plan.activations_bytes  # of half as many rows


def loss_of(found: dict[str, Tensor], feature_set: Path) -> float:
    manifest = read_manifest(str(feature_set))
    network = networks.build(launch.request(feature_set, feature_set).model, manifest).eval()
    network.load_state_dict(found)
    (batch,) = Feed(Stored(str(feature_set), manifest, "validation", 2**20), batch_size=500, shuffle=False)
    with torch.inference_mode():
        return float(Criterion(manifest)(network(*batch.inputs), batch))


@pytest.mark.parametrize("strategy", EXACT)
def test_the_average_is_judged_and_kept(
    strategy: StrategyName, plain: TrainResult, results: dict[str, TrainResult], feature_set: Path
) -> None:
    result = results[strategy]
    assert loss_of(weights(result), feature_set) == pytest.approx(result.validation_loss, abs=1e-5)
    assert result.metrics["train_loss"] == pytest.approx(plain.metrics["train_loss"], abs=1e-4)  # it learns as without
    assert result.validation_loss != pytest.approx(plain.validation_loss, abs=1e-5)


@pytest.mark.soak
def test_an_average_may_begin_in_the_middle(feature_set: Path, tmp_path: Path) -> None:
    launch.run(launch.request(feature_set, tmp_path, max_epochs=1))
    (tmp_path / "answer.json").unlink()
    result = launch.run(launch.request(feature_set, tmp_path, max_epochs=2, average=0.9))
    assert result.resumed_from_step > 0
    assert loss_of(weights(result), feature_set) == pytest.approx(result.validation_loss, abs=1e-5)


@pytest.mark.soak
def test_a_killed_training_goes_on_with_its_average_and_with_steps_of_several_batches(
    feature_set: Path, tmp_path: Path
) -> None:
    settings = {"average": 0.9, "accumulate": 3, "checkpoint_steps": 3, "max_epochs": 6}
    untouched = launch.run(launch.request(feature_set, tmp_path / "untouched", "fsdp", 2, **settings))
    wanted = launch.request(feature_set, tmp_path / "killed", "fsdp", 2, **settings)
    resumed = launch.run_and_kill(wanted, after_step=25)
    assert_same(weights(resumed), weights(untouched))


@pytest.mark.soak
@pytest.mark.parametrize("strategy", ["single", "fsdp", "pipeline"])
def test_a_killed_training_goes_on_where_rates_decay_and_dropout_were(
    strategy: StrategyName, feature_set: Path, tmp_path: Path
) -> None:
    recipe = compose("flights_delay", ["model=realmlp"]).optimizer
    changes = {"model": SMALL["realmlp"], "optimizer": recipe}

    def wanted(folder: str) -> TrainRequest:
        request = launch.request(feature_set, tmp_path / folder, strategy, EXACT[strategy], checkpoint_steps=3)
        return request.model_copy(update=changes)

    untouched = launch.run(wanted("untouched"))
    resumed = launch.run_and_kill(wanted("killed"), after_step=untouched.steps // 2)
    assert_same(weights(resumed), weights(untouched))


def test_bf16_learns_as_well(plain: TrainResult, results: dict[str, TrainResult]) -> None:
    result = results["bf16"]
    assert result.validation_loss == pytest.approx(plain.validation_loss, rel=0.02)
    assert {weight.dtype for weight in weights(result).values()} == {torch.float32}


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_blocks_do_the_same(plain: TrainResult, feature_set: Path, tmp_path: Path) -> None:
    result = launch.run(launch.request(feature_set, tmp_path, **PLAIN, compile=True))
    assert_same(weights(result), weights(plain), tolerance=1e-4)
