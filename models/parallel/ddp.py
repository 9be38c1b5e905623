"""Every rank holds the whole network; gradients are averaged while the backward pass runs.

Li et al. 2020, "PyTorch Distributed: Experiences on Accelerating Data Parallel Training".
"""

from contextlib import AbstractContextManager

from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh
from torch.nn.parallel import DistributedDataParallel

from conf.strategies import Ddp
from models.feeds.division import Division, Portions
from models.networks.network import Network
from models.parallel.parallelism import Forward, Parallelism
from models.parallel.plan import Sketch


class Strategy(Parallelism[Ddp]):
    """Synchronous data parallelism."""

    _replica: DistributedDataParallel

    def division(self, rank: int) -> Division:
        """Share a step evenly, or by the speed of the ranks."""
        if self.settings.balance == "even":
            return super().division(rank)
        self.portions = Portions(rank, self.world_size)
        return self.portions

    def communicated(self, sketch: Sketch) -> int:
        """Reduce and spread every gradient in a ring: each rank sends 2 (n - 1) / n of them (section 2.3)."""
        return 2 * (self.world_size - 1) * sum(sketch.sizes().values()) // self.world_size

    def wrap(self, network: Network, mesh: DeviceMesh | None) -> Forward:
        """Average the gradients of the ranks, in buckets, as soon as a bucket is full."""
        if mesh is None:
            return network
        # Buffers never change, and gradients stay where they arrive.
        self._replica = DistributedDataParallel(
            network,
            process_group=mesh.get_group(),
            bucket_cap_mb=self.settings.bucket_mb,
            forward_sync_buffers=False,
            gradient_as_bucket_view=True,
        )
        return self._replica

    def accumulating(self) -> AbstractContextManager[None]:
        """Keep gradients here until the last batch of a step."""
        return self._replica.no_sync() if self.world_size > 1 else super().accumulating()

    def backward(self, loss: Tensor) -> None:
        """Work out the gradients; once this rank's own are there, it waits for those of the others."""
        with self.waits.behind(loss):
            super().backward(loss)
