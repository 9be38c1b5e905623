"""Gradient clipping where parameters are spread in different ways, or ranks hold different ones."""

from collections.abc import Iterable
from math import inf

import torch
from torch import Tensor, nn
from torch.distributed import ProcessGroup
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Placement

SMALL = 1e-6  # against division by 0, as in torch's own clipping

Where = tuple[DeviceMesh, tuple[Placement, ...]] | None  # None: a plain tensor


def clip(parameters: Iterable[nn.Parameter], most: float, stages: ProcessGroup | None = None) -> float:
    """Scale gradients down so that the norm of all of them together is at most `most`, and give the norm.

    What is in shards is added up over the ranks that have the others, what every rank holds counts once. All ranks of
    a mesh have to hold their gradients in the same order. If the norm is not finite, gradients stay as they are.

    Args:
        parameters: what this rank holds; each gradient has its parameter's layout.
        most: largest norm.
        stages: ranks that hold other parameters, none of them twice.

    """
    kinds: dict[Where, list[Tensor]] = {}
    for parameter in parameters:
        gradient = parameter.grad
        if isinstance(gradient, DTensor):
            kinds.setdefault((gradient.device_mesh, tuple(gradient.placements)), []).append(gradient.to_local())
        elif gradient is not None:
            kinds.setdefault(None, []).append(gradient)
    square = sum((_square(where, tensors) for where, tensors in kinds.items()), torch.zeros((), dtype=torch.float64))
    if stages is not None:
        torch.distributed.all_reduce(square, group=stages)
    norm = square.sqrt().float()
    here = float(norm)  # a GPU is waited for
    if most < here < inf:
        for tensors in kinds.values():
            torch._foreach_mul_(tensors, most / (norm + SMALL))
    return here


def _square(where: Where, tensors: list[Tensor]) -> Tensor:
    """The square of the norm of tensors that are laid out alike, over all ranks that have shards of them."""
    square = nn.utils.get_total_norm(tensors, foreach=True).double().square()
    mesh, placements = where or (None, ())
    for dimension, placement in enumerate(placements):
        if mesh is not None and not placement.is_replicate():
            torch.distributed.all_reduce(square, group=mesh.get_group(dimension))
    return square
