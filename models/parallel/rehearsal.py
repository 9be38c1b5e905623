"""What the stages of a pipeline keep and send, worked out on fake tensors."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from conf.strategies import Pipeline
from models.networks.network import Network
from models.parallel.cuts import Cut, Part, part
from models.parallel.memory import watched
from models.parallel.plan import parameter_bytes, tensor_bytes


class Role(NamedTuple):
    """What a rank has to do in a step."""

    parameters_bytes: int
    activations_bytes: int
    sent_bytes: int


def kept(settings: Pipeline, ranks: int, rank: int) -> list[int]:
    """The stages, one for each part that a rank has run forward before it runs the first one backward.

    As the schedules of `torch.distributed.pipelining` have it, see `models.parallel.pipeline`.
    """
    parts, mine = settings.parts(ranks), settings.stages(ranks) // ranks
    if settings.schedule == "gpipe":
        return [rank] * parts
    if settings.schedule == "1f1b":
        return [rank] * min(parts, ranks - rank)
    together = parts // max(1, parts // ranks)  # parts that go through one stage before the next one's turn
    forward = (mine - 1) * together + 2 * (ranks - 1 - rank) + 1
    return [step // together % mine * ranks + rank for step in range(min(forward, mine * parts))]


def rehearse(network: Network, found: Cut, settings: Pipeline, ranks: int, inputs: tuple[Tensor, ...]) -> list[Role]:
    """Run the stages of each rank on one part of a batch, as often as it keeps them, and one of them backward.

    Args:
        network: within a `fake` context, and of its tensors.
        found: its stages.
        settings: the schedule.
        ranks: how many.
        inputs: the part.

    """
    stages = [part(network, which) for which in found]
    states = _states(stages, inputs)
    forth = [tensor_bytes(state) for state in states]
    back = [tensor_bytes([tensor for tensor in state if tensor.requires_grad]) for state in states]
    roles = []
    for rank in range(ranks):
        mine = range(rank, len(stages), ranks)
        sent = sum(back[stage] + (forth[stage + 1] if stage + 1 < len(stages) else 0) for stage in mine)
        order = kept(settings, ranks, rank)
        held = sum(parameter_bytes(stages[stage]) for stage in mine)
        roles.append(Role(held, _alive(stages, states, order), sent * settings.parts(ranks)))
    return roles


def _states(stages: Sequence[Part], inputs: tuple[Tensor, ...]) -> list[tuple[Tensor, ...]]:
    """What goes into each stage."""
    states = [inputs]
    for stage in stages[:-1]:
        changed = stage(*states[-1])
        tensors = changed if isinstance(changed, tuple) else (changed,)
        states.append(tuple(tensor.detach().requires_grad_(tensor.requires_grad) for tensor in tensors))
    return states


def _alive(stages: Sequence[Part], states: Sequence[tuple[Tensor, ...]], order: Sequence[int]) -> int:
    torch.clear_autocast_cache()  # so that casts count, as in a step
    with watched(nn.ModuleList(stages[stage] for stage in set(order))) as alive:
        outputs = [stages[stage](*states[stage]) for stage in order]
        last = outputs[-1] if isinstance(outputs[-1], tuple) else (outputs[-1],)
        learning = [tensor for tensor in last if tensor.requires_grad]
        torch.autograd.backward(learning, [torch.ones_like(tensor) for tensor in learning])
    return alive.most
