"""Every rank holds the whole network; gradients are averaged while the backward pass runs."""

from lightning.pytorch.strategies import DDPStrategy, Strategy
from torch import nn
from torch.distributed.device_mesh import DeviceMesh


def strategy(world_size: int, backend: str) -> Strategy:  # noqa: ARG001 -- torchrun has told Lightning
    """Average gradients with torch's DistributedDataParallel."""
    # The network runs the same way at each step, its buffers never change, and gradients can stay where they arrive.
    return DDPStrategy(
        process_group_backend=backend, static_graph=True, forward_sync_buffers=False, gradient_as_bucket_view=True
    )


def wrap(network: nn.Module, mesh: DeviceMesh | None) -> None:
    """Leave the network as it is: Lightning wraps the whole module."""
