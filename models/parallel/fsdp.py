"""Every rank holds its part of each block's parameters, gradients and optimizer state (FSDP2, `fully_shard`).

Zhao et al. 2023, "PyTorch FSDP: Experiences on Scaling Fully Sharded Data Parallel"; over several replicas, the hybrid
sharding of section 3.2.2.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import CPUOffloadPolicy, FSDPModule, OffloadPolicy, fully_shard

from conf.exchange import Plan
from conf.strategies import Fsdp
from models.networks.network import Network
from models.parallel.parallelism import REPLICAS, Forward, Parallelism
from models.parallel.plan import Sketch

SHARDS = "shards"
GATHERED = 2  # blocks that are whole at a time: one in use and the next one


class Strategy(Parallelism[Fsdp]):
    """Fully sharded data parallelism."""

    _sharded: list[FSDPModule]

    @property
    def dimensions(self) -> Mapping[str, int]:
        """Replicas of so many shards."""
        return {REPLICAS: self.settings.replicas, SHARDS: self.world_size // self.settings.replicas}

    @property
    def replicas(self) -> int:
        """Every rank has rows of its own, whatever it holds of the network."""
        return self.world_size

    def plan(self, sketch: Sketch) -> Plan:
        """Predict what a step costs: a shard of the state, and the block that is gathered beside the one in use.

        A rank sends its shards twice, for the forward and the backward pass, and the gradients of the others' shards;
        with replicas, its shard's gradient goes around them (ZeRO, Rajbhandari et al. 2020, section 7.2).
        """
        shards = self.world_size // self.settings.replicas
        whole = super().plan(sketch)
        sizes = sketch.sizes()
        blocks = [size for name, size in sizes.items() if name.startswith("blocks.")]
        held = sum(sizes.values()) // shards
        gathered = sizes["stem"] + sizes["head"] + sum(sorted(blocks)[-GATHERED:]) if shards > 1 else 0
        sent = 3 * (shards - 1) * held + 2 * (self.settings.replicas - 1) * held // self.settings.replicas
        return whole.model_copy(
            update={
                "parameters_bytes": held,
                "gradients_bytes": held,
                "optimizer_bytes": whole.optimizer_bytes // shards,
                "activations_bytes": whole.activations_bytes + gathered,
                "communicated_bytes": sent,
            }
        )

    def wrap(self, network: Network, mesh: DeviceMesh | None) -> Forward:
        """Shard each block, then what is left; a block is gathered while it is computed, then let go."""
        if mesh is not None:
            over = mesh if self.settings.replicas > 1 else mesh[SHARDS]
            offload = CPUOffloadPolicy() if self.settings.offload else OffloadPolicy()
            for module in (*network.blocks, network):
                if any(parameter.requires_grad for parameter in module.parameters()):
                    fully_shard(module, mesh=over, offload_policy=offload)
        self._sharded = [module for module in network.modules() if isinstance(module, FSDPModule)]
        return network

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
