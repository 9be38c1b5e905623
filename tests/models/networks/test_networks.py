"""What holds for every network: its shapes, its first guess, that it learns, and that recomputing changes nothing."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from conf.data import Task
from conf.manifest import Manifest
from conf.networks import AnyNetwork
from conf.training import Checkpointing
from models.criterion import Criterion
from models.feeds.batch import Batch
from models.feeds.feed import Feed
from models.feeds.stored import Stored
from models.networks import build
from models.networks.network import Network
from models.parallel.checkpointing import checkpoint_blocks
from tests.feature_sets import CHARACTERS, PLACES, write_feature_set
from tests.models.networks.cases import EVERY, SMALL, task_of, without_dropout

OUTPUTS: dict[Task, tuple[int, ...]] = {"binary": (1,), "regression": (1,), "multiclass": (3,)}
OUTPUTS["sequence"] = (PLACES, 1 + len(CHARACTERS))
MEMBERS = {"tabm": (3,)}
CASES = [(name, task) for name, task in product(EVERY, OUTPUTS) if (name == "decoder") == (task == "sequence")]
FOR_TABLES = [name for name in SMALL if name != "cnn"]
MODES: tuple[Checkpointing, ...] = ("none", "sqrt", "every", "selective")


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[Task, tuple[Manifest, Batch]]:
    """A feature set of each task, and a batch of it."""
    found = {}
    for task in OUTPUTS:
        folder = tmp_path_factory.mktemp(task)
        manifest = write_feature_set(folder, task, rows=240, tensor=True)
        stored = Stored(str(folder), manifest, "train", 2**20)
        found[task] = (manifest, next(iter(Feed(stored, batch_size=64, shuffle=False))))
    return found


def loss_of(network: Network, manifest: Manifest, batch: Batch) -> Tensor:
    return Criterion(manifest)(network(*batch.inputs), batch)


@pytest.mark.parametrize(("name", "task"), CASES)
def test_every_row_gets_its_outputs_and_every_parameter_a_gradient(name: str, task: Task, sets: Any) -> None:
    manifest, batch = sets[task]
    network = build(without_dropout(EVERY[name]), manifest)
    outputs = network(*batch.inputs)
    assert outputs.shape == (len(batch.label), *MEMBERS.get(name, ()), *OUTPUTS[task])
    (one,) = network(*(tensor[3:4] for tensor in batch.inputs))
    torch.testing.assert_close(one, outputs[3], rtol=1e-4, atol=1e-5)  # whatever rows are beside it
    loss_of(network, manifest, batch).backward()  # type: ignore[no-untyped-call]
    assert [key for key, parameter in network.named_parameters() if parameter.grad is None] == []


@pytest.mark.parametrize("without", [{"numeric": False}, {"categorical": False}])
@pytest.mark.parametrize("name", FOR_TABLES)
def test_a_kind_of_columns_may_be_missing(name: str, without: Any, tmp_path: Path) -> None:
    manifest = write_feature_set(tmp_path, "binary", rows=60, **without)
    stored = Stored(str(tmp_path), manifest, "train", 2**20)
    batch = next(iter(Feed(stored, batch_size=16, shuffle=False)))
    assert build(SMALL[name], manifest)(*batch.inputs).shape == (len(batch.label), *MEMBERS.get(name, ()), 1)


@pytest.mark.parametrize("name", EVERY)
def test_starts_near_the_trivial_prediction(name: str, sets: Any) -> None:
    manifest, batch = sets[task_of(name, "multiclass")]
    network = build(EVERY[name], manifest)
    for key, parameter in network.head.named_parameters():
        if key.endswith("weight"):
            nn.init.zeros_(parameter)
    said = network(*batch.inputs)[0].softmax(-1)
    torch.testing.assert_close(said, torch.tensor(manifest.label.prior).expand_as(said), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", EVERY)
def test_learns_its_rows(name: str, sets: Any) -> None:
    manifest, batch = sets[task_of(name, "binary")]
    torch.manual_seed(0)
    network = build(without_dropout(EVERY[name]), manifest)
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
    first = float(loss_of(network, manifest, batch).detach())
    for _ in range(120):
        optimizer.zero_grad()
        loss_of(network, manifest, batch).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    # Which word begins next, no row can tell.
    share = 0.4 if name == "decoder" else 0.2
    assert float(loss_of(network, manifest, batch).detach()) < share * first


@pytest.mark.parametrize("how", MODES[1:])
@pytest.mark.parametrize("name", EVERY)
def test_gradient_checkpointing_changes_no_gradient(name: str, how: Checkpointing, sets: Any) -> None:
    manifest, batch = sets[task_of(name, "multiclass")]

    def gradients(mode: Checkpointing) -> list[Tensor]:
        torch.manual_seed(0)
        network = build(EVERY[name], manifest)
        checkpoint_blocks(network, mode)
        loss_of(network, manifest, batch).backward()  # type: ignore[no-untyped-call]
        return [parameter.grad for parameter in network.parameters() if parameter.grad is not None]

    for ours, plain in zip(gradients(how), gradients("none"), strict=True):
        assert torch.equal(ours, plain)  # dropout, too, is drawn again


BLOCKS = {"mlp": 3, "cnn": 4, "resnet": 5, "ft_transformer": 4, "tabm": 3, "realmlp": 3, "decoder": 4}


@pytest.mark.parametrize("name", EVERY)
def test_says_its_blocks_in_order(name: str, sets: Any) -> None:
    network = build(EVERY[name], sets[task_of(name, "binary")][0])
    assert len(network.blocks) == BLOCKS[name]


def sizes(blocks: nn.ModuleList) -> list[int]:
    return [sum(parameter.numel() for parameter in block.parameters()) for block in blocks]


def test_parameters_are_as_many_as_the_paper_has(sets: Any) -> None:
    manifest: Manifest = sets["binary"][0]
    width, hidden, numbers, codes = 16, 24, len(manifest.numeric), [c.cardinality for c in manifest.categorical]
    network = build(SMALL["resnet"], manifest)
    assert sizes(network.blocks) == [2 * width + (width + 1) * hidden + (hidden + 1) * width] * 5
    network, hidden = build(SMALL["ft_transformer"], manifest), 12
    attention, gated = (4 * width + 1) * width, (width + 1) * 2 * hidden + (hidden + 1) * width
    block = attention + gated + 4 * width
    assert sizes(network.blocks) == [block - 2 * width, block, block, block]  # tokens are not normalised
    tokenizer = (1 + 2 * numbers + len(codes) + sum(codes) + 1 + 6) * width  # the tensor has six numbers
    assert sum(parameter.numel() for parameter in network.stem.parameters()) == tokenizer


def deep(width: int) -> AnyNetwork:
    return without_dropout(SMALL["resnet"]).model_copy(update={"blocks": 512, "width": width, "hidden": width})


def test_five_hundred_residual_blocks_train_without_overflow_or_denormals(sets: Any) -> None:
    manifest, batch = sets["binary"]
    torch.manual_seed(0)
    network = build(deep(8), manifest)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = loss_of(network, manifest, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        gradients = torch.cat([p.grad.flatten().abs() for p in network.parameters() if p.grad is not None])
        assert gradients.isfinite().all()
        assert not ((gradients > 0) & (gradients < torch.finfo(torch.float32).tiny)).any()
        ends = [torch.cat([p.grad.flatten() for p in network.blocks[end].parameters()]).norm() for end in (0, -1)]  # type: ignore[union-attr]
        assert 0.1 < ends[0] / ends[1] < 100
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]


def test_multiplications_count_each_place_where_a_layer_is_used(sets: Any) -> None:
    manifest: Manifest = sets["binary"][0]
    network = build(SMALL["ft_transformer"], manifest)
    tokens = 1 + len(manifest.numeric) + len(manifest.categorical) + 1
    stem, head = (sum(p.numel() for p in part.parameters()) for part in (network.stem, network.head))
    assert network.multiplications() == stem + head + tokens * sum(sizes(network.blocks))
    network = build(EVERY["decoder"], sets["sequence"][0])
    stem, head = (sum(p.numel() for p in part.parameters()) for part in (network.stem, network.head))
    assert network.multiplications() == stem + PLACES * (head + sum(sizes(network.blocks)))
