"""What TabM's members have in common, and what they have not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from conf.columns import Cyclic, Numeric, Quantile
from conf.data import Task
from conf.manifest import Manifest
from conf.networks import Tabm
from models.criterion import Criterion
from models.feeds.batch import Batch
from models.feeds.feed import Feed
from models.feeds.stored import Stored
from models.networks import build
from models.networks.members import heard_as_one
from models.networks.tabm import MembersBlock, Pieces
from models.serving.predict import scores
from tests.feature_sets import write_feature_set

TASKS: tuple[Task, ...] = ("binary", "multiclass", "regression")
PLAIN = Tabm(name="tabm", members=6, hidden=[12, 8], dropout=0.0, embedding_max=4, number_bins=0, number_width=4)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[Task, tuple[Manifest, Batch]]:
    found = {}
    for task in TASKS:
        folder = tmp_path_factory.mktemp(task)
        manifest = write_feature_set(folder, task, rows=120)
        found[task] = (
            manifest,
            next(iter(Feed(Stored(str(folder), manifest, "train", 2**20), batch_size=50, shuffle=False))),
        )
    return found


def made(manifest: Manifest, **changes: Any) -> Any:
    torch.manual_seed(0)
    return build(PLAIN.model_copy(update=changes), manifest)


def test_one_member_is_a_perceptron_of_the_same_weights(sets: Any) -> None:
    manifest, batch = sets["multiclass"]
    network = made(manifest, members=1)
    state = network.stem(*batch.inputs)
    for block in network.blocks:
        nn.init.normal_(block.behind)
        layer = nn.Linear(block.before.shape[1], block.bias.shape[1])
        with torch.no_grad():
            layer.weight.copy_(block.behind[0, :, None] * block.linear.weight * block.before[0])
            layer.bias.copy_(block.bias[0])
        state = layer(state).relu()
    head = state @ network.head.weight[0] + network.head.bias[0]
    torch.testing.assert_close(network(*batch.inputs)[:, 0], head, rtol=1e-4, atol=1e-5)


def test_members_differ_at_the_start_by_the_signs_before_the_first_layer_alone(sets: Any) -> None:
    manifest, batch = sets["binary"]
    network = made(manifest, number_bins=5)
    first, *others = network.blocks
    assert set(first.before.flatten().tolist()) == {-1.0, 1.0}
    numbers = first.before[:, : 4 * len(manifest.numeric)].unflatten(1, (-1, 4))
    assert torch.equal(numbers, numbers[:, :, :1].expand_as(numbers))  # all that became of a number has one sign
    with torch.no_grad():
        first.before[1] = first.before[0]
    state = first(network.stem(*batch.inputs))
    for block in others:
        state = block(state)
    assert torch.equal(state[:, 0], state[:, 1])
    assert not torch.allclose(state[:, 0], state[:, 2])
    outputs = network(*batch.inputs)
    assert not torch.allclose(outputs[:, 0], outputs[:, 1])  # heads are their own


@pytest.mark.parametrize("task", TASKS)
def test_members_learn_by_the_mean_of_their_losses(task: Task, sets: Any) -> None:
    manifest, batch = sets[task]
    criterion, network = Criterion(manifest), made(manifest)
    together = criterion(network(*batch.inputs), batch)
    gradients = torch.autograd.grad(together, [*network.parameters()])
    outputs = network(*batch.inputs)
    mean = torch.stack([criterion(outputs[:, member], batch) for member in range(6)]).mean()
    torch.testing.assert_close(together, mean)
    for ours, theirs in zip(gradients, torch.autograd.grad(mean, [*network.parameters()]), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("task", TASKS)
def test_what_is_judged_is_the_mean_of_what_members_say(task: Task, sets: Any) -> None:
    manifest, batch = sets[task]
    outputs = 3 * torch.randn(len(batch.label), 6, 3 if task == "multiclass" else 1)
    said = scores(lambda *_: outputs, batch.inputs, manifest)  # type: ignore[arg-type]  # gives what it is told
    each = [scores(lambda *_, m=member: outputs[:, m], batch.inputs, manifest) for member in range(6)]  # type: ignore[misc]
    np.testing.assert_allclose(said, np.mean(each, axis=0), rtol=1e-9)
    if task == "regression":
        expected = np.mean(((said - batch.label.numpy()) / manifest.label.scale) ** 2)
    else:
        sure = np.stack([1 - said, said], axis=1) if task == "binary" else said
        expected = -np.log(sure[np.arange(len(sure)), batch.label.long().numpy()]).mean()
    as_one = float(Criterion(manifest, as_one=True)(outputs, batch))
    assert as_one == pytest.approx(expected, rel=1e-5)
    assert as_one <= float(Criterion(manifest)(outputs, batch)) + 1e-6  # Jensen: these losses are convex


def test_one_member_is_judged_as_a_network_without_members(sets: Any) -> None:
    for task in TASKS:
        manifest, batch = sets[task]
        outputs = torch.randn(len(batch.label), 1, 3 if task == "multiclass" else 1)
        as_one = Criterion(manifest, as_one=True)
        torch.testing.assert_close(as_one(outputs, batch), as_one(outputs[:, 0], batch))
        assert torch.equal(heard_as_one(outputs), outputs[:, 0])


def test_a_number_has_all_of_the_pieces_below_it_and_a_share_of_its_own(sets: Any) -> None:
    manifest: Manifest = sets["binary"][0]
    pieces = Pieces(manifest, 4, 4)
    with torch.no_grad():
        pieces.weight.copy_(torch.eye(4).expand_as(pieces.weight))
        pieces.bias.zero_()
    cuts = torch.cat((pieces.low, pieces.low[:, -1:] + pieces.length[:, -1:]), dim=1)

    def of(first: Tensor) -> list[float]:
        values = torch.zeros(1, len(cuts))
        values[0, 0] = first
        return [round(value, 4) for value in pieces(values)[0, :4].tolist()]

    assert of(cuts[0, 2] + pieces.length[0, 2] / 4) == [1.0, 1.0, 0.25, 0.0]
    assert of(cuts[0, 0] - pieces.length[0, 0]) == [-1.0, 0.0, 0.0, 0.0]  # the first goes on below
    assert of(cuts[0, 4] + pieces.length[0, 3]) == [1.0, 1.0, 1.0, 2.0]  # and the last one above


def test_pieces_are_cut_where_the_encoding_has_rows(sets: Any) -> None:
    columns = [
        Numeric(name="a", mean=0, scale=1, indicator=True),
        Quantile(name="b", points=[0, 1], shares=[0, 1], indicator=False),
        Cyclic(name="c", of="number", periods={"day": 24.0}, indicator=False),
    ]
    manifest = sets["binary"][0].model_copy(update={"columns": columns})
    pieces = Pieces(manifest, 2, 4)
    assert manifest.numeric == ["a", "a__missing", "b", "c__day_sin", "c__day_cos"]
    middle, ends = pieces.low[:, 1].tolist(), (pieces.low[:, 1] + pieces.length[:, 1]).tolist()
    assert middle == pytest.approx([0, 0.5, 0, 0, 0], abs=1e-6)
    assert ends == pytest.approx([2.5758, 1, 3**0.5, 1, 1], abs=1e-4)


def test_multiplications_count_the_shared_matrix_once_for_each_member(sets: Any) -> None:
    network = made(sets["binary"][0])
    rest = sum(parameter.numel() for name, parameter in network.named_parameters() if ".linear." not in name)
    shared = sum(block.linear.weight.numel() for block in network.blocks if isinstance(block, MembersBlock))
    assert network.multiplications() == rest + 6 * shared


def test_a_state_dict_is_all_there_is(sets: Any, tmp_path: Path) -> None:
    manifest, batch = sets["regression"]
    network, other = made(manifest, number_bins=5).eval(), build(PLAIN.model_copy(update={"number_bins": 5}), manifest)
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    assert torch.equal(network(*batch.inputs), other.eval()(*batch.inputs))
