"""Every rank holds its part of each block's parameters, gradients and optimizer state (FSDP2, `fully_shard`).

Zhao et al. 2023, "PyTorch FSDP: Experiences on Scaling Fully Sharded Data Parallel"; over several replicas, the hybrid
sharding of section 3.2.2.
"""

from collections.abc import Mapping

import torch
from torch import nn
from torch.distributed.device_mesh import DeviceMesh

from conf.exchange import Plan
from conf.strategies import Fsdp
from models.networks.network import Network
from models.parallel.parallelism import REPLICAS, Forward
from models.parallel.plan import Sketch
from models.parallel.sharding import SHARDS, Sharding


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
        """Predict what a step costs."""
        return self.sharded(sketch, self.world_size // self.settings.replicas, self.settings.replicas)

    def place(self, module: nn.Module, device: torch.device) -> None:
        """Move buffers alone, if parameters are to wait in the processor's memory."""
        if not self.settings.offload:
            super().place(module, device)
            return
        for each in module.modules():
            for name, buffer in each.named_buffers(recurse=False):
                setattr(each, name, buffer.to(device))

    def wrap(self, network: Network, mesh: DeviceMesh | None) -> Forward:
        """Shard the network."""
        if mesh is not None:
            over = mesh if self.settings.replicas > 1 else mesh[SHARDS]
            self.shard(network, over, offload=self.settings.offload)
        return network
