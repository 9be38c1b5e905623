"""What was planned beside what a step was measured to take, and what is made of plans."""

from pathlib import Path
from typing import Any

import pytest

from conf.exchange import Plan, TrainRequest, TrainResult
from conf.networks import Mlp
from conf.schema import Checkpointing
from conf.strategies import StrategyName
from models.reporting import costs
from tests.feature_sets import write_feature_set
from tests.models import launch, trainings

pytestmark = pytest.mark.distributed
TOLERANCE = 0.15
DEEP = Mlp(name="mlp", hidden=[256] * 12, dropout=0.1, embedding_max=8)
LOOSE: dict[StrategyName, int] = {"local_sgd": 2, "async": 2}
RANKS: dict[StrategyName, int] = {"single": 1, "ddp": 2, "fsdp": 2, "tensor": 2, "pipeline": 2, **LOOSE}
CASES: list[tuple[StrategyName, Checkpointing]] = [
    *((strategy, "none") for strategy in RANKS if strategy not in LOOSE),
    ("single", "sqrt"),
    ("fsdp", "every"),
    ("ddp", "selective"),
]
MORE: list[tuple[StrategyName, Checkpointing, dict[str, Any]]] = [
    ("pipeline", "selective", {}),
    ("tensor", "every", {}),
    ("pipeline", "none", {"schedule": "gpipe"}),
    ("pipeline", "none", {"schedule": "interleaved"}),
]


@pytest.fixture(scope="module")
def feature_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wide")
    write_feature_set(folder, "binary", rows=10_240, row_group_rows=2560)
    return folder


def request(
    feature_set: Path,
    folder: Path,
    strategy: StrategyName,
    checkpointing: Checkpointing,
    epochs: int = 1,
    **settings: Any,
) -> TrainRequest:
    wanted = launch.request(feature_set, folder, strategy, RANKS[strategy], max_epochs=epochs, patience=epochs)
    changes: dict[str, Any] = {"model": DEEP, "checkpointing": checkpointing}
    changes["strategy"] = launch.parallel(strategy, world_size=RANKS[strategy], **settings)
    changes["feed"] = wanted.feed.model_copy(update={"batch_size": 2048})
    return wanted.model_copy(update=changes)


@pytest.fixture(scope="module")
def results(
    feature_set: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[StrategyName, Checkpointing], TrainResult]:
    folder = tmp_path_factory.mktemp("planned")
    wanted = {case: request(feature_set, folder / "-".join(case), *case) for case in CASES}
    wanted["local_sgd", "none"] = request(feature_set, folder / "local_sgd", "local_sgd", "none", every=2)
    wanted["async", "none"] = request(feature_set, folder / "async", "async", "none", epochs=20)
    return trainings.run(wanted)


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_a_step_takes_what_was_planned(
    case: tuple[StrategyName, Checkpointing], results: dict[tuple[StrategyName, Checkpointing], TrainResult]
) -> None:
    assert_as_planned(results[case])


def test_ranks_that_talk_seldom_send_little_in_a_step(
    results: dict[tuple[StrategyName, Checkpointing], TrainResult],
) -> None:
    result = results["local_sgd", "none"]
    assert_as_planned(result)
    assert result.plan.communicated_bytes == pytest.approx(result.plan.parameters_bytes / 2, rel=0.01)


def test_rank_0_keeps_what_all_learn(results: dict[tuple[StrategyName, Checkpointing], TrainResult]) -> None:
    result = results["async", "none"]
    assert_as_planned(result, but=("communicated",))  # who takes how many batches is not planned
    assert (
        0 < result.metrics["communicated_bytes"] <= (1 + TOLERANCE) * result.plan.parameters_bytes
    )  # if others take all


@pytest.mark.soak
@pytest.mark.parametrize(("strategy", "checkpointing", "settings"), MORE)
def test_more_steps_take_what_was_planned(
    strategy: StrategyName, checkpointing: Checkpointing, settings: dict[str, Any], feature_set: Path, tmp_path: Path
) -> None:
    assert_as_planned(launch.run(request(feature_set, tmp_path, strategy, checkpointing, **settings)))


def assert_as_planned(result: TrainResult, but: tuple[str, ...] = ()) -> None:
    planned = costs(result.plan)
    for part in {"parameters", "gradients", "optimizer", "activations", "memory", "communicated"} - {*but}:
        measured = result.metrics[f"{part}_bytes"]
        assert planned[f"{part}_bytes"] == pytest.approx(measured, rel=TOLERANCE), part


def test_memory_is_the_sum_of_its_parts() -> None:
    parts = {"parameters_bytes": 1, "gradients_bytes": 2, "optimizer_bytes": 4, "activations_bytes": 8}
    plan = Plan(strategy="ddp", world_size=2, communicated_bytes=99, flop=1.0, idle_share=0.0, **parts)
    assert plan.memory_bytes == 15
