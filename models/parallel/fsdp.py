"""Every rank holds its part of each block's parameters, gradients and optimizer state (FSDP2, `fully_shard`).

Zhao et al. 2023, "PyTorch FSDP: Experiences on Scaling Fully Sharded Data Parallel"; over several replicas, the hybrid
sharding of section 3.2.2.
"""

from collections.abc import Mapping

from torch.distributed.device_mesh import DeviceMesh

from conf.exchange import Plan
from conf.strategies import Fsdp
from models.networks.network import Network
from models.parallel.parallelism import REPLICAS, Forward
from models.parallel.plan import Sketch
from models.parallel.sharding import SHARDS, Sharding

GATHERED = 2  # blocks that are whole at a time: one in use and the next one


class Strategy(Sharding[Fsdp]):
    """Fully sharded data parallelism."""

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
        """Shard the network."""
        if mesh is not None:
            over = mesh if self.settings.replicas > 1 else mesh[SHARDS]
            self.shard(network, over, offload=self.settings.offload)
        return network
