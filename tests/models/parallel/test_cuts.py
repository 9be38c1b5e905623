"""Where a network is cut."""

from collections.abc import Sequence
from itertools import combinations, pairwise

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from models.networks.network import Network, through
from models.parallel.checkpointing import checkpoint_blocks
from models.parallel.cuts import Cut, Part, costs, cut, part

PARTS = st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=9)


def every_cut(parts: int, stages: int) -> list[Cut]:
    insides = combinations(range(1, parts), stages - 1)
    return [[range(low, high) for low, high in pairwise((0, *inside, parts))] for inside in insides]


def slowest(found: Cut, amounts: Sequence[int]) -> int:
    return max(sum(amounts[place] for place in which) for which in found)


@given(PARTS, st.integers(1, 6))
def test_no_other_cut_has_a_faster_slowest_stage(parts: list[tuple[int, bool]], stages: int) -> None:
    amounts, learning = [amount for amount, _ in parts], [learns for _, learns in parts]
    others = [
        other
        for other in every_cut(len(parts), stages)
        if all(any(learning[place] for place in which) for which in other)
    ]
    found = cut(amounts, learning, stages)
    if found is None:
        assert not others
    else:
        assert found in others
        assert slowest(found, amounts) == min(slowest(other, amounts) for other in others)


def network(*widths: int) -> Network:
    blocks = [nn.Sequential(nn.Linear(low, high), nn.GELU(), nn.Dropout(0.5)) for low, high in pairwise(widths)]
    return Network(nn.Flatten(), blocks, nn.Linear(widths[-1], 1))


def test_costs_are_the_operations_of_both_passes() -> None:
    assert costs(network(4, 8, 16), (torch.randn(2, 4),)) == [
        0,
        2 * 2 * 4 * 8 * 2,  # rows, a product and a sum, weights, forward and backward, which has no input to go on to
        2 * 2 * 8 * 16 * 3,
        2 * 2 * 16 * 3,
    ]


def test_what_is_recomputed_costs_more_and_nothing_is_left_behind() -> None:
    plain, again = network(8, 8, 8), network(8, 8, 8)
    checkpoint_blocks(again, "every")
    state = torch.get_rng_state()
    before, after = (costs(made, (torch.randn(2, 8),)) for made in (plain, again))
    torch.set_rng_state(state)
    assert after[2] == before[2] * 4 // 3
    assert (after[0], after[3]) == (before[0], before[3])
    assert all(parameter.grad is None for parameter in again.parameters())


def test_parts_one_after_the_other_are_the_network() -> None:
    whole = network(4, 8, 8).eval()
    rows = torch.randn(3, 4)
    assert torch.equal(part(whole, range(2, 4))(part(whole, range(2))(rows)), whole(rows))
    assert {name for name, _ in part(whole, range(2)).named_parameters()} == {"blocks.0.0.weight", "blocks.0.0.bias"}


class Turned(nn.Module):
    """Gives a view, and its gradient is one number over and over."""

    def forward(self, state: torch.Tensor) -> torch.Tensor:
        """Turn the sum of each row."""
        return state.sum(1, keepdim=True).expand(-1, 2).t()


def test_what_goes_to_other_ranks_is_contiguous() -> None:
    state = torch.randn(3, 4, requires_grad=True)
    changed = Part(None, [Turned()], None, through)(state)
    assert isinstance(changed, torch.Tensor)
    assert changed.is_contiguous()
    (gradient,) = torch.autograd.grad(changed.sum(), state)
    assert gradient.is_contiguous()
    assert torch.equal(gradient, torch.full((3, 4), 2.0))
