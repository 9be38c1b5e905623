"""Where a network is cut into stages: so that the slowest stage is as fast as it can be.

What a part costs is counted, not timed: the operations of matrix products, convolutions and attention in the forward
and the backward pass of a few rows, as they run, recomputed ones included. Seconds would differ from run to run, and a
training that goes on after a crash has to be cut as it was. All ranks count the same.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from models.networks.network import Network, Run, State, apply

Cut = list[range]  # of each stage, which parts


class Part(nn.Module):
    """Some of a network's parts in order, of stem, blocks and head: a state to the next."""

    def __init__(self, stem: nn.Module | None, blocks: Sequence[nn.Module], head: nn.Module | None, run: Run) -> None:
        """Share modules with the network that they are of; `run` is how it runs blocks."""
        super().__init__()
        self.stem, self.blocks, self.head, self._run = stem, nn.ModuleList(blocks), head, run

    def forward(self, *state: Tensor) -> State:
        """Give the state behind the last part; it and the gradients before the first are contiguous, to be sent."""
        tensors = tuple(_with_contiguous_gradient(tensor) for tensor in state)
        changed: State = tensors if len(tensors) > 1 else tensors[0]
        if self.stem is not None:
            changed = apply(self.stem, changed)
        changed = self._run(self.blocks, changed)
        if self.head is not None:
            changed = apply(self.head, changed)
        if isinstance(changed, tuple):
            return tuple(tensor.contiguous() for tensor in changed)
        return changed.contiguous()


def _with_contiguous_gradient(tensor: Tensor) -> Tensor:
    if not tensor.requires_grad:
        return tensor
    view = tensor.view_as(tensor)  # a hook on the tensor itself, which may be a buffer, would stay
    view.register_hook(torch.Tensor.contiguous)  # type: ignore[no-untyped-call]
    return view


def part(network: Network, which: range) -> Part:
    """Take consecutive parts of a network: 0 is the stem, then come the blocks, then the head."""
    last = len(network.blocks) + 1
    blocks = [network.blocks[number - 1] for number in which if 0 < number < last]
    stem, head = (network.stem if 0 in which else None), (network.head if last in which else None)
    return Part(stem, blocks, head, network.run_stage)


def costs(network: Network, inputs: tuple[Tensor, ...]) -> list[int]:
    """Count the operations of stem, each block and head, forward and backward, for `inputs`."""
    counted: list[int] = []
    state = inputs
    with torch.random.fork_rng(), sdpa_kernel(SDPBackend.MATH):  # whose products are counted on every device
        for number in range(len(network.blocks) + 2):
            piece = part(network, range(number, number + 1))
            held = tuple(tensor.detach().requires_grad_(tensor.requires_grad) for tensor in state)
            with FlopCounterMode(display=False) as counter:
                changed = piece(*held)
                state = changed if isinstance(changed, tuple) else (changed,)
                outputs = [tensor for tensor in state if tensor.requires_grad]
                if outputs:
                    torch.autograd.backward(outputs, [torch.ones_like(tensor) for tensor in outputs])
            piece.zero_grad()
            counted.append(counter.get_total_flops())
    return counted


def cut(costs: Sequence[int], learning: Sequence[bool], stages: int) -> Cut | None:
    """Cut parts into so many consecutive stages with the least maximum of their costs, by a dynamic programme.

    Args:
        costs: of each part.
        learning: whether a part has parameters; each stage gets one that has.
        stages: how many.

    Returns:
        The parts of each stage, or None if there are not enough.

    """
    cost, learns = [0, *accumulate(costs)], [0, *accumulate(map(int, learning))]
    # best[end] is the least maximum of the first `end` parts in so many stages; starts has where their last one begins.
    best: list[float] = [0, *[float("inf")] * len(costs)]
    starts: list[list[int]] = []
    for _ in range(stages):
        longer, begins = [float("inf")] * len(best), [0] * len(best)
        for end in range(1, len(best)):
            for start in range(end - 1, -1, -1):
                last = cost[end] - cost[start]
                if last >= longer[end]:  # and an earlier start makes it no cheaper
                    break
                if learns[end] > learns[start] and max(best[start], last) < longer[end]:
                    longer[end], begins[end] = max(best[start], last), start
        best = longer
        starts.append(begins)
    if best[-1] == float("inf"):
        return None
    ends = [len(costs)]
    for begins in reversed(starts):
        ends.append(begins[ends[-1]])
    return [range(low, high) for high, low in pairwise(ends)][::-1]
