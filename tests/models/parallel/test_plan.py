"""What was planned beside what a step was measured to take, and what is made of plans."""

from pathlib import Path
from typing import Any

import pytest

from conf.exchange import Plan, TrainRequest, TrainResult
from conf.manifest import read_manifest
from conf.networks import Mlp
from conf.strategies import StrategyName
from conf.training import Checkpointing
from models.parallel.plan import Sketch
from models.reporting import costs
from tests.feature_sets import write_feature_set
from tests.models import launch, trainings

pytestmark = pytest.mark.distributed
TOLERANCE = 0.15
DEEP = Mlp(name="mlp", hidden=[256] * 12, dropout=0.1, embedding_max=8)
LOOSE: dict[StrategyName, int] = {"local_sgd": 2, "async": 2}
RANKS: dict[StrategyName, int] = {"single": 1, "ddp": 2, "fsdp": 2, "tensor": 2, "pipeline": 2, **LOOSE}
Case = tuple[StrategyName, Checkpointing, str]
CASES: list[Case] = [
    *((strategy, "none", "32-true") for strategy in RANKS if strategy not in LOOSE),
    ("single", "sqrt", "32-true"),
    ("ddp", "selective", "32-true"),
    ("ddp", "every", "bf16-mixed"),
]
MORE: list[tuple[Case, dict[str, Any]]] = [
    (("pipeline", "selective", "32-true"), {}),
    *(((strategy, "every", "32-true"), {}) for strategy in ("tensor", "fsdp")),
    (("pipeline", "none", "32-true"), {"schedule": "gpipe"}),
    (("pipeline", "none", "32-true"), {"schedule": "interleaved"}),
    *(((strategy, "none", "bf16-mixed"), {}) for strategy in ("single", "fsdp", "tensor", "pipeline")),
]


@pytest.fixture(scope="module")
def feature_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wide")
    write_feature_set(folder, "binary", rows=10_240, row_group_rows=2560)
    return folder


def request(feature_set: Path, folder: Path, case: Case, epochs: int = 1, **settings: Any) -> TrainRequest:
    strategy, checkpointing, precision = case
    trainer: dict[str, Any] = {"max_epochs": epochs, "patience": epochs, "precision": precision}
    wanted = launch.request(feature_set, folder, strategy, RANKS[strategy], **trainer)
    changes: dict[str, Any] = {"model": DEEP, "checkpointing": checkpointing}
    changes["strategy"] = launch.parallel(strategy, world_size=RANKS[strategy], **settings)
    changes["feed"] = wanted.feed.model_copy(update={"batch_size": 2048})
    return wanted.model_copy(update=changes)


@pytest.fixture(scope="module")
def results(feature_set: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Case | StrategyName, TrainResult]:
    folder = tmp_path_factory.mktemp("planned")
    wanted: dict[Case | StrategyName, TrainRequest] = {
        case: request(feature_set, folder / "-".join(case), case) for case in CASES
    }
    wanted["local_sgd"] = request(feature_set, folder / "local_sgd", ("local_sgd", "none", "32-true"), every=2)
    wanted["async"] = request(feature_set, folder / "async", ("async", "none", "32-true"), epochs=20)
    return trainings.run(wanted)


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_a_step_takes_what_was_planned(case: Case, results: dict[Case | StrategyName, TrainResult]) -> None:
    assert_as_planned(results[case])


def test_ranks_that_talk_seldom_send_little_in_a_step(results: dict[Case | StrategyName, TrainResult]) -> None:
    result = results["local_sgd"]
    assert_as_planned(result)
    assert result.plan.communicated_bytes == pytest.approx(result.plan.parameters_bytes / 2, rel=0.01)


def test_rank_0_keeps_what_all_learn(results: dict[Case | StrategyName, TrainResult]) -> None:
    result = results["async"]
    assert_as_planned(result, but=("communicated",))  # who takes how many batches is not planned
    assert (
        0 < result.metrics["communicated_bytes"] <= (1 + TOLERANCE) * result.plan.parameters_bytes
    )  # if others take all


@pytest.mark.soak
@pytest.mark.parametrize(("case", "settings"), MORE)
def test_more_steps_take_what_was_planned(
    case: Case, settings: dict[str, Any], feature_set: Path, tmp_path: Path
) -> None:
    assert_as_planned(launch.run(request(feature_set, tmp_path, case, **settings)))


def assert_as_planned(result: TrainResult, but: tuple[str, ...] = ()) -> None:
    planned = costs(result.plan)
    for part in {"parameters", "gradients", "optimizer", "activations", "memory", "communicated"} - {*but}:
        measured = result.metrics[f"{part}_bytes"]
        assert planned[f"{part}_bytes"] == pytest.approx(measured, rel=TOLERANCE), part


def test_stages_recompute_all_that_they_have(feature_set: Path, tmp_path: Path) -> None:
    """A network in one piece keeps the activations of its last segment, a stage does not."""
    wanted = request(feature_set, tmp_path, ("pipeline", "every", "32-true"))
    manifest = read_manifest(str(feature_set))

    def flop(checkpointing: Checkpointing, *, stages: bool = False) -> float:
        sketch = Sketch(wanted.model, manifest, wanted.trainer, checkpointing, 2048)
        return (sketch.in_stages() if stages else sketch).step(2048).flop

    plain, whole, cut = flop("none"), flop("every"), flop("every", stages=True)
    forward = (cut - plain) / len(DEEP.hidden)  # of a block
    assert flop("none", stages=True) == plain
    assert whole == pytest.approx(cut - forward, rel=0.01)


def test_memory_is_the_sum_of_its_parts() -> None:
    parts = {"parameters_bytes": 1, "gradients_bytes": 2, "optimizer_bytes": 4, "activations_bytes": 8}
    plan = Plan(strategy="ddp", world_size=2, communicated_bytes=99, flop=1.0, idle_share=0.0, **parts)
    assert plan.memory_bytes == 15
