"""What strategies have in common that shard each block by FSDP2."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import CPUOffloadPolicy, FSDPModule, OffloadPolicy, fully_shard

from conf.exchange import Plan
from conf.strategies import AnyStrategy
from models.networks.network import Network
from models.parallel.parallelism import Parallelism
from models.parallel.plan import Sketch

S = TypeVar("S", bound=AnyStrategy)
SHARDS = "shards"
GATHERED = 2  # blocks that are whole at a time: one in use and the next one


class Sharding(Parallelism[S]):
    """Blocks in shards."""

    _sharded: tuple[FSDPModule, ...] = ()

    def sharded(self, sketch: Sketch, shards: int, replicas: int = 1) -> Plan:
        """Predict what a step costs: a shard of the state, and the block that is gathered beside the one in use.

        A rank sends its shards twice, for the forward and the backward pass, and the gradients of the others' shards;
        with replicas, its shard's gradient goes around them (ZeRO, Rajbhandari et al. 2020, section 7.2).
        """
        whole = super().plan(sketch)
        sizes = sketch.sizes()
        blocks = [size for name, size in sizes.items() if name.startswith("blocks.")]
        held = sum(sizes.values()) // shards
        gathered = sizes["stem"] + sizes["head"] + sum(sorted(blocks)[-GATHERED:]) if shards > 1 else 0
        sent = 3 * (shards - 1) * held + 2 * (replicas - 1) * held // replicas
        return whole.model_copy(
            update={
                "parameters_bytes": held,
                "gradients_bytes": held,
                "optimizer_bytes": whole.optimizer_bytes // shards,
                "activations_bytes": whole.activations_bytes + gathered,
                "communicated_bytes": sent,
            }
        )

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
