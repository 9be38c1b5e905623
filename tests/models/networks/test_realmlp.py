"""The pieces of RealMLP's recipe, by hand."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from conf.manifest import Manifest
from models.feeds.feed import Feed
from models.feeds.stored import Stored
from models.networks import build
from models.networks.parts import FadingDropout
from models.networks.realmlp import Activation, Marked, Periodic, Tangent, plane_biases, smooth_clip
from tests.feature_sets import write_feature_set
from tests.models.networks.cases import SMALL


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    folder = tmp_path_factory.mktemp("real")
    return folder, write_feature_set(folder, "regression", rows=120)


def test_clipping_leaves_the_middle_and_keeps_all_within_three() -> None:
    clipped = smooth_clip(torch.tensor([0.0, 0.1, 3.0, -1e6])).tolist()
    assert clipped == pytest.approx([0.0, 0.1 / math.sqrt(1 + 0.1**2 / 9), 3 / math.sqrt(2), -3.0], abs=1e-5)


def test_a_layer_divides_by_the_root_of_its_width() -> None:
    layer = Tangent(4, 2, torch.tensor([0.5, -1.0]))
    nn.init.ones_(layer.linear.weight)
    assert layer(torch.ones(1, 4)).tolist() == [[2.5, 1.0]]  # 4 / sqrt(4), and the bias that was said
    torch.manual_seed(0)
    wide = Tangent(400, 300)
    assert float(wide.linear.weight.detach().std()) == pytest.approx(1, abs=0.01)  # no matter how wide
    said = wide(torch.randn(200, 400)) - 0.1 * wide.bias
    assert float(said.detach().std()) == pytest.approx(1, abs=0.05)


def test_biases_lie_between_five_standard_normal_rows() -> None:
    torch.manual_seed(0)
    biases = plane_biases(20_000)
    assert float(biases.mean()) == pytest.approx(0, abs=0.02)
    assert float(biases.var()) == pytest.approx(1 / 3, abs=0.02)  # mean sum of squares of five shares: 5 * 2 / (5 * 6)


def test_a_number_becomes_itself_and_a_linear_layer_of_cosines() -> None:
    periodic = Periodic(2, 5, 0.1, 4)
    numbers = torch.tensor([[0.3, -1.0], [2.0, 0.5], [0.0, 0.0]])
    found = periodic(numbers)
    assert found.shape == (3, 8)
    assert torch.equal(found[:, [0, 4]], numbers)
    waves = (2 * math.pi * numbers[1, 1] * 0.1 * periodic.frequency[1, 0] + 0.1 * periodic.phase[1, 0]).cos()
    expected = waves @ (0.1 * periodic.weight[1]) + 0.1 * periodic.bias[1, 0]
    torch.testing.assert_close(found[1, 5:], expected, rtol=1e-4, atol=1e-5)


def test_small_columns_are_one_hot_and_what_train_never_had_is_nothing() -> None:
    marked = Marked([5, 9, 4], one_hot_max=2, width=3)  # the second has six values
    assert marked.out_features == 4 + 3 + 3
    found = marked(torch.tensor([[1, 4, 3], [4, 0, 0], [0, 8, 1]]))
    assert found[:, :7].tolist() == [[1, 0, 0, 0, 0, 0, 1], [0, 0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 1, 0, 0]]
    assert found[1, 7:].tolist() == [0, 0, 0]
    assert found[0, 7:].tolist() != found[2, 7:].tolist()


def test_an_activation_goes_from_its_function_to_nothing() -> None:
    for regression, function in ((False, nn.SELU()), (True, nn.Mish())):
        activation, numbers = Activation(3, regression=regression), torch.randn(5, 3)
        torch.testing.assert_close(activation(numbers), function(numbers))
        with torch.no_grad():
            activation.share.copy_(torch.tensor([0.0, 5.0, 10.0]))  # a tenth of it counts
        found = activation(numbers)
        assert torch.equal(found[:, 0], numbers[:, 0])
        torch.testing.assert_close(found[:, 1], (numbers[:, 1] + function(numbers[:, 1])) / 2)


def test_dropout_stays_for_half_of_the_training_and_fades_in_the_other() -> None:
    dropout, ones = FadingDropout(0.4), torch.ones(100_000)
    for done, rate in ((0.0, 0.4), (0.5, 0.4), (0.75, 0.2), (1.0, 0.0)):
        dropout.done.fill_(done)
        kept = dropout(ones)
        assert float((kept == 0).float().mean()) == pytest.approx(rate, abs=0.01)
        assert float(kept.mean()) == pytest.approx(1, abs=0.02)
    assert torch.equal(dropout.eval()(ones), ones)


def test_scales_and_factors_start_at_what_they_stand_for(made: Any) -> None:
    folder, manifest = made
    network: Any = build(SMALL["realmlp"], manifest).eval()
    batch = next(iter(Feed(Stored(str(folder), manifest, "train", 2**20), batch_size=20, shuffle=False)))
    state = network.stem(*batch.inputs)
    assert state.shape == (20, len(manifest.numeric) * 4 + (len(manifest.categorical[1].vocabulary) + 2) + 4)
    torch.testing.assert_close(state[:, 0], smooth_clip(batch.numeric[:, 0]))
    assert isinstance(network.blocks[0].activation.function, nn.Mish)
    torch.testing.assert_close(0.1 * network.head.bias, torch.zeros(1))


def test_a_state_dict_is_all_there_is(made: Any, tmp_path: Path) -> None:
    folder, manifest = made
    batch = next(iter(Feed(Stored(str(folder), manifest, "train", 2**20), batch_size=20, shuffle=False)))
    network, other = (build(SMALL["realmlp"], manifest).eval() for _ in range(2))
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    assert torch.equal(network(*batch.inputs), other(*batch.inputs))
