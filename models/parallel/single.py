"""One process, one device."""

from lightning.pytorch.strategies import SingleDeviceStrategy, Strategy
from torch import nn
from torch.distributed.device_mesh import DeviceMesh


def strategy(world_size: int, backend: str) -> Strategy:  # noqa: ARG001 -- one rank talks to nobody
    """Train on the first GPU or on the CPU."""
    return SingleDeviceStrategy("cuda:0" if backend == "nccl" else "cpu")


def wrap(network: nn.Module, mesh: DeviceMesh | None) -> None:
    """Leave the network as it is."""
