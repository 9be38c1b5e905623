"""Numbers that are not finite stop training at their step, and what they come from is named."""

import os
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor

from conf.exchange import TrainRequest
from conf.manifest import Manifest
from conf.strategies import StrategyName
from models import networks
from models.criterion import Criterion
from models.feeds.batch import Batch
from models.feeds.record import Record
from models.finite import Origin, gradients, origin
from models.networks.network import Network
from tests.feature_sets import write_feature_set
from tests.models import launch

INFINITE = float("inf")
PLACE = r"^numbers are not finite at step (\d+) \(epoch (\d+), batch (\d+)\): first "
given: list[int] = []


@pytest.fixture(scope="module")
def feature_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("regression")
    write_feature_set(folder, "regression", tensor=True)
    return folder


@pytest.fixture(scope="module")
def manifest(feature_set: Path) -> Manifest:
    return Manifest.model_validate_json((feature_set / "manifest.json").read_text())


@pytest.fixture
def network(manifest: Manifest, feature_set: Path, tmp_path: Path) -> Network:
    torch.manual_seed(1)
    return networks.build(launch.request(feature_set, tmp_path).model, manifest)


def found(network: Network, manifest: Manifest, batch: Batch) -> Origin | None:
    return origin(network, manifest, batch, lambda: Criterion(manifest)(network(*batch.inputs), batch))


def test_all_that_is_finite_has_no_origin(network: Network, manifest: Manifest) -> None:
    assert found(network, manifest, Record.of(manifest).example(4)) is None
    assert found(network, manifest, Record.of(manifest).example(0)) is None


def test_a_column_is_named(network: Network, manifest: Manifest) -> None:
    batch = Record.of(manifest).example(4)
    batch.numeric[1, manifest.numeric.index("hour")] = INFINITE
    assert found(network, manifest, batch) == Origin("column 'hour', in 1 of 4 numbers", rows=True)
    batch = Record.of(manifest).example(4)
    batch.tensors[0][2:] = float("nan")
    assert found(network, manifest, batch) == Origin("column 'radar', in 12 of 24 numbers", rows=True)
    batch = Record.of(manifest).example(4)
    batch.label[:] = INFINITE
    assert found(network, manifest, batch) == Origin("column 'minutes', in 4 of 4 numbers", rows=True)


def test_the_first_part_whose_output_is_not_finite_is_named(network: Network, manifest: Manifest) -> None:
    batch = Record.of(manifest).example(4)
    second = network.blocks[1]

    def overflow(_: Any, __: Any, output: Tensor) -> Tensor:
        return output + INFINITE

    handle = second.register_forward_hook(overflow)
    name = f"block 2 of 2 ({type(second).__name__})"
    assert found(network, manifest, batch) == Origin(f"the output of {name}")
    handle.remove()
    with torch.no_grad():
        next(second.parameters())[0] = INFINITE
    assert found(network, manifest, batch) == Origin(f"the output of {name}, whose weights are not finite")


def test_a_loss_that_overflows_alone_is_named(network: Network, manifest: Manifest) -> None:
    with torch.no_grad():
        [*network.head.parameters()][-1].fill_(1e30)
    origin = found(network, manifest, Record.of(manifest).example(4))
    assert origin == Origin("the loss, of outputs that are finite")


def test_gradients_are_looked_for_from_the_loss_on(network: Network) -> None:
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    assert gradients(network) == "the gradients of another rank's part of the network"
    for block in network.blocks:
        for parameter in block.parameters():
            assert parameter.grad is not None
            parameter.grad.fill_(INFINITE)
    assert gradients(network).startswith("the gradients of block 2 of 2 (")


def stopped(wanted: TrainRequest) -> str:
    """The one line with which a training ended, which was not tried again."""
    with launch.start(wanted) as agent:
        agent.communicate(timeout=120)
    assert agent.returncode == 1
    assert "start again" not in launch.log(wanted)
    error: str = launch.answer(wanted)["error"]
    return error


def spoils_the_fifth_batch(batch: Batch) -> Batch:
    """A transform of which the last rank's fifth batch comes out with an infinite number."""
    given.append(len(batch.label))
    if len(given) == 5 and int(os.environ["RANK"]) == int(os.environ["WORLD_SIZE"]) - 1:
        batch.numeric[3, 0] = INFINITE
    return batch


@pytest.mark.distributed
def test_the_rows_of_a_rank_that_spoil_a_step_are_kept(feature_set: Path, manifest: Manifest, tmp_path: Path) -> None:
    wanted = launch.request(feature_set, tmp_path, "ddp", 2, gradient_clip=None)
    feed = wanted.feed.model_copy(update={"transform": f"{__name__}:spoils_the_fifth_batch"})
    error = stopped(wanted.model_copy(update={"feed": feed}))
    kept = tmp_path / "spoilt" / "rank-1.parquet"
    first = manifest.numeric[0]
    assert error == (
        f"numbers are not finite at step 4 (epoch 1, batch 5): first column '{first}', in 1 of 50 numbers, on rank 1; "
        f"mend it, or feed.transform; the batch is in {kept}"
    )
    rows = pd.read_parquet(kept)
    assert list(rows[first]).index(INFINITE) == 3
    assert len(rows) == 50
    assert set(rows) == {*manifest.numeric, "carrier", "origin", "radar", "minutes"}


@pytest.mark.distributed
@pytest.mark.parametrize(
    ("name", "ranks", "accumulate"),
    [
        ("ddp", 2, 3),
        pytest.param("pipeline", 2, 1, marks=pytest.mark.soak),
        pytest.param("single", 1, 1, marks=pytest.mark.soak),
        pytest.param("fsdp", 2, 2, marks=pytest.mark.soak),
        pytest.param("tensor", 2, 1, marks=pytest.mark.soak),
    ],
)
def test_a_learning_rate_that_explodes_is_told_with_step_batch_and_block(
    name: StrategyName, ranks: int, accumulate: int, feature_set: Path, tmp_path: Path
) -> None:
    error = stopped(launch.request(feature_set, tmp_path, name, ranks, learning_rate=1e30, accumulate=accumulate))
    found = re.match(PLACE + r"(the output of (the stem|block \d of 2 \(\w+\)|the head)|the loss), ", error)
    assert found, error
    step, epoch, batch = map(int, found.groups()[:3])
    assert (step, epoch) == ((batch - 1) // accumulate, 1)
    assert "; lower optimizer.learning_rate (now 1e+30) or set trainer.gradient_clip; the batch is in " in error
