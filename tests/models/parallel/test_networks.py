"""Every network by every strategy: planned, and stepped as one process does."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from conf.data import Task
from conf.errors import FranklinError
from conf.manifest import Manifest
from conf.strategies import StrategyName
from conf.training import Checkpointing, Trainer
from models.feeds.record import Record
from models.networks import build
from models.parallel import load
from models.parallel.plan import Sketch
from tests.feature_sets import write_feature_set
from tests.models import launch, trainings
from tests.models.networks.cases import EVERY, SMALL, SMALL_DECODER, task_of, without_dropout
from tests.models.parallel.test_plan import LOOSE, assert_as_planned

RANKS: dict[StrategyName, int] = {"single": 1, "ddp": 2, "fsdp": 2, "tensor": 2, "pipeline": 2}
PAIRS = [pair for pair in product(RANKS, EVERY) if pair != ("tensor", "cnn")]
WIDE = {
    "resnet": SMALL["resnet"].model_copy(update={"blocks": 8, "width": 128, "hidden": 256}),
    "ft_transformer": SMALL["ft_transformer"].model_copy(update={"width": 64, "hidden": 96}),
    "decoder": SMALL_DECODER.model_copy(update={"width": 64, "hidden": 192}),
    "tabm": SMALL["tabm"].model_copy(update={"members": 8, "hidden": [64, 64, 64]}),
    "realmlp": SMALL["realmlp"].model_copy(update={"hidden": [256, 256, 256]}),
    "cnn": SMALL["cnn"].model_copy(update={"channels": [32, 64], "hidden": [256, 256]}),
}
Sets = dict[Task, tuple[Path, Manifest]]
LEARNING: dict[str, Any] = {"max_epochs": 4, "learning_rate": 0.003}
TRAINER = Trainer.model_construct(precision="32-true")


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Sets:
    """A feature set for networks of columns, and one of a text."""
    tasks: tuple[Task, ...] = ("multiclass", "sequence")
    folders = {task: tmp_path_factory.mktemp(task) for task in tasks}
    return {task: (folder, write_feature_set(folder, task, rows=240, tensor=True)) for task, folder in folders.items()}


@pytest.mark.distributed
@pytest.mark.parametrize("ranks", [2, pytest.param(4, marks=pytest.mark.soak)])
def test_every_strategy_steps_every_network_as_one_process_does(ranks: int, sets: Sets) -> None:
    strategies = [name for name in RANKS if name != "single"]
    folders = [str(folder) for folder, _ in sets.values()]
    launch.together("tests.models.parallel.networks_alike", ranks, *folders, *strategies)


@pytest.mark.parametrize(("strategy", "network"), PAIRS)
def test_every_strategy_plans_every_network(strategy: StrategyName, network: str, sets: Sets) -> None:
    _, manifest = sets[task_of(network, "multiclass")]
    sketch = Sketch(EVERY[network], manifest, TRAINER, "none", 64)
    plan = load(launch.parallel(strategy, world_size=RANKS[strategy]), RANKS[strategy]).plan(sketch)
    whole = sum(parameter.numel() * parameter.element_size() for parameter in sketch.network().parameters())
    assert plan.activations_bytes > 0
    assert plan.flop > 0
    assert plan.parameters_bytes == whole if strategy in {"single", "ddp"} else 0 < plan.parameters_bytes < whole
    assert (plan.communicated_bytes > 0) == (strategy != "single")


@pytest.mark.soak
@pytest.mark.distributed
@pytest.mark.parametrize("checkpointing", ["none", "selective"])
@pytest.mark.parametrize(("strategy", "network"), [pair for pair in PAIRS if pair[1] in WIDE])
def test_a_step_takes_what_was_planned(
    network: str, strategy: StrategyName, checkpointing: Checkpointing, tmp_path: Path
) -> None:
    image = network == "cnn"
    write_feature_set(tmp_path / "set", task_of(network, "binary"), rows=4096, row_group_rows=512, tensor=image)
    wanted = launch.request(tmp_path / "set", tmp_path / "run", strategy, RANKS[strategy], max_epochs=1)
    feed = wanted.feed.model_copy(update={"batch_size": 1024})
    changes = {"model": WIDE[network], "checkpointing": checkpointing, "feed": feed}
    assert_as_planned(launch.run(wanted.model_copy(update=changes)))


@pytest.mark.soak
@pytest.mark.distributed
def test_a_text_is_learned_alike_by_every_strategy(tmp_path: Path) -> None:
    """Those whose ranks step alone end near, the others where one process does; each recomputes in its own way."""
    write_feature_set(tmp_path / "set", "sequence", rows=1200)
    hows: dict[StrategyName, Checkpointing] = {"ddp": "sqrt", "fsdp": "every", "tensor": "selective", "single": "sqrt"}
    wanted = {}
    for strategy in (*RANKS, *LOOSE):
        folder = tmp_path / strategy
        asked = launch.request(tmp_path / "set", folder, strategy, 1 if strategy == "single" else 2, **LEARNING)
        changes = {"model": without_dropout(SMALL_DECODER), "checkpointing": hows.get(strategy, "none")}
        wanted[strategy] = asked.model_copy(update=changes)
    losses = {strategy: result.validation_loss for strategy, result in trainings.run(wanted).items()}
    for strategy, loss in losses.items():
        assert loss == pytest.approx(losses["single"], rel=0.2 if strategy in LOOSE else 1e-3), strategy
    assert losses["single"] < 2  # nats; characters alone have 2.3


def test_heads_and_pairs_are_not_split(sets: Sets) -> None:
    _, manifest = sets["multiclass"]
    for changes, line in (
        ({"heads": 2, "width": 24}, "has a layer of 2 heads, which strategy.tensor_size=3 ranks cannot share equally"),
        ({"heads": 3, "width": 24, "hidden": 4}, "has a layer of 4 pairs, which strategy.tensor_size=3 ranks cannot"),
    ):
        model = SMALL["ft_transformer"].model_copy(update=changes)
        with pytest.raises(FranklinError, match=f"^network ft_transformer {line}"):
            load(launch.parallel("tensor", world_size=3, tensor_size=3), 3).inspect(
                build(model, manifest), model.name, Record.of(manifest).example(2)
            )
