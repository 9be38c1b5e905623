"""Every rank holds the whole network; gradients are averaged while the backward pass runs.

Li et al. 2020, "PyTorch Distributed: Experiences on Accelerating Data Parallel Training".
"""

from contextlib import AbstractContextManager

import torch
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh
from torch.nn.parallel import DistributedDataParallel

from conf.strategies import Ddp
from models.feeds.batch import Batch
from models.feeds.division import Division, Portions
from models.networks.network import Network
from models.parallel.parallelism import Forward, Loss, Parallelism
from models.parallel.plan import Sketch


class Strategy(Parallelism[Ddp]):
    """Synchronous data parallelism."""

    _replica: DistributedDataParallel
    _rehearsed = False

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

    def train(self, forward: Forward, batch: Batch, loss: Loss, share: float) -> Tensor:
        """Give the mean loss of this rank's rows."""
        if self.world_size > 1 and not self._rehearsed:
            self._rehearse(batch, loss)
        return super().train(forward, batch, loss, share)

    def _rehearse(self, batch: Batch, loss: Loss) -> None:
        """Do a step for nothing, from which DDP learns in which order gradients come, and lays its buckets.

        Else the first step of a process would have one bucket of its own, and a ring of three ranks or more adds up a
        number in the order of its place in the bucket: a training that goes on would not do what it had done.
        """
        self._rehearsed = True
        accumulates, self._replica.require_backward_grad_sync = self._replica.require_backward_grad_sync, True
        gpus = [batch.label.device] if batch.label.is_cuda else []
        with torch.random.fork_rng(gpus, device_type="cuda"):
            self.backward(loss(self._replica(*batch.inputs), batch))
        self._replica.require_backward_grad_sync = accumulates
        self._replica.zero_grad()

    def accumulating(self) -> AbstractContextManager[None]:
        """Keep gradients here until the last batch of a step."""
        return self._replica.no_sync() if self.world_size > 1 else super().accumulating()

    def backward(self, loss: Tensor) -> None:
        """Work out the gradients; once this rank's own are there, it waits for those of the others."""
        with self.waits.behind(loss):
            super().backward(loss)
