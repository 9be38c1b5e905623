"""Every rank holds its part of each block's parameters, gradients and optimiser state (FSDP2, `fully_shard`)."""

from lightning.pytorch.strategies import ModelParallelStrategy, Strategy
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard


def strategy(world_size: int, backend: str) -> Strategy:
    """Lightning's FSDPStrategy refuses a CPU; ModelParallelStrategy leaves the sharding to `wrap` and takes any."""
    return ModelParallelStrategy(data_parallel_size=world_size, tensor_parallel_size=1, process_group_backend=backend)


def wrap(network: nn.Module, mesh: DeviceMesh | None) -> None:
    """Shard each block, then what is left in the root; a block is gathered while it is computed, then let go."""
    if mesh is None or not isinstance(blocks := network.blocks, nn.ModuleList):
        raise TypeError("fully sharded training needs a device mesh and a network with a list of blocks")
    for block in blocks:
        fully_shard(block, mesh=mesh["data_parallel"])
    fully_shard(network, mesh=mesh["data_parallel"])
