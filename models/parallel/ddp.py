"""Every rank holds the whole network; gradients are averaged while the backward pass runs."""

from lightning.pytorch.strategies import DDPStrategy, Strategy
from torch import nn
from torch.distributed.device_mesh import DeviceMesh


def strategy(world_size: int, backend: str) -> Strategy:  # noqa: ARG001 -- torchrun has told Lightning
    """Average gradients with torch's DistributedDataParallel."""
    # Blocks always run in the same order, and gradients need not be copied out of the communication buckets.
    return DDPStrategy(process_group_backend=backend, static_graph=True, gradient_as_bucket_view=True)


def wrap(network: nn.Module, mesh: DeviceMesh | None) -> None:
    """Leave the network as it is: Lightning wraps the whole module."""
