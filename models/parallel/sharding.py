"""What strategies have in common that shard each block by FSDP2."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import CPUOffloadPolicy, FSDPModule, OffloadPolicy, fully_shard

from conf.strategies import AnyStrategy
from models.networks.network import Network
from models.parallel.parallelism import Parallelism

S = TypeVar("S", bound=AnyStrategy)
SHARDS = "shards"


class Sharding(Parallelism[S]):
    """Blocks in shards."""

    _sharded: tuple[FSDPModule, ...] = ()

    def shard(self, network: Network, mesh: DeviceMesh, *, offload: bool = False) -> None:
        """Shard each block, then what is left; a block is gathered while it is computed, then let go."""
        policy = CPUOffloadPolicy() if offload else OffloadPolicy()
        for module in (*network.blocks, network):
            if any(parameter.requires_grad for parameter in module.parameters()):
                fully_shard(module, mesh=mesh, offload_policy=policy)
        self._sharded = tuple(module for module in network.modules() if isinstance(module, FSDPModule))

    def accumulating(self) -> AbstractContextManager[None]:
        """Reduce and scatter gradients for the last batch of a step only."""
        return self._unsynchronised()

    @contextmanager
    def _unsynchronised(self) -> Iterator[None]:
        for module in self._sharded:
            module.set_requires_gradient_sync(False, recurse=False)
        try:
            yield
        finally:
            for module in self._sharded:
                module.set_requires_gradient_sync(True, recurse=False)
