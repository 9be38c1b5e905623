"""What a decoder says of a place depends on that place and those before it alone."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.networks import build
from models.networks.network import Network
from tests.feature_sets import CHARACTERS, PLACES, write_feature_set
from tests.models.networks.cases import SMALL_DECODER

TOKENS = 1 + len(CHARACTERS)
NONE = torch.empty(0, 0)
row = st.lists(st.integers(0, TOKENS - 1), min_size=PLACES, max_size=PLACES)
rows = st.lists(row, min_size=1, max_size=4).map(torch.tensor)


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Network:
    """One whose weights are large enough for places to matter to each other."""
    torch.manual_seed(0)
    network = build(SMALL_DECODER, write_feature_set(tmp_path_factory.mktemp("text"), "sequence", rows=40)).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return network


@settings(max_examples=60)
@given(rows, st.integers(0, PLACES - 1), st.integers(1, TOKENS - 1))
def test_a_later_token_changes_no_earlier_output(decoder: Network, tokens: Tensor, place: int, by: int) -> None:
    changed = tokens.clone()
    changed[:, place] = (tokens[:, place] + by) % TOKENS
    with torch.inference_mode():
        before, after = (decoder(NONE, NONE, each) for each in (tokens, changed))
    assert torch.equal(before[:, :place], after[:, :place])
    differs = (before[:, place:] - after[:, place:]).abs().amax(dim=2) > 0
    assert differs.all()  # and every later one it does change


@settings(max_examples=30)
@given(rows, st.integers(1, PLACES))
def test_a_beginning_is_answered_as_if_it_were_all(decoder: Network, tokens: Tensor, length: int) -> None:
    with torch.inference_mode():
        whole, begun = decoder(NONE, NONE, tokens), decoder(NONE, NONE, tokens[:, :length])
    torch.testing.assert_close(begun, whole[:, :length], rtol=1e-4, atol=1e-5)
