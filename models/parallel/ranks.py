"""Ranks as Lightning takes them: the process group, the mesh and checkpoints, whatever the strategy."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import torch
from lightning.pytorch.strategies import ModelParallelStrategy
from lightning.pytorch.strategies.parallel import ParallelStrategy
from torch.distributed.checkpoint.state_dict import get_model_state_dict
from torch.distributed.device_mesh import init_device_mesh

from conf.errors import FranklinError
from conf.exchange import ANSWER_SECONDS, answered
from models.networks.network import Network
from models.parallel.parallelism import Parallelism
from models.shards import APART, AVERAGE, STRATEGY, Saver, load, mean_over_ranks, optimizer_state


def meet(world_size: int, timeout: timedelta) -> None:
    """Join the process group, if there are several ranks; none may keep the others waiting for `timeout`."""
    if world_size > 1:
        gpu = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if torch.cuda.is_available() else None
        backend = "cpu:gloo,cuda:nccl" if gpu else "gloo"
        torch.distributed.init_process_group(backend, timeout=timeout, device_id=gpu)


def part(reply: Path) -> None:
    """Leave the process group when all do (a peer's early exit would abort the others) and rank 0 has its result.

    Should a rank be gone by then, it is not missed, if only rank 0 answers.

    Raises:
        RuntimeError: rank 0 is gone too.

    """
    if torch.distributed.is_initialized():
        first = torch.distributed.get_rank() == 0
        try:
            torch.distributed.barrier()
        except RuntimeError:
            if not first and not _result_within(reply, ANSWER_SECONDS):
                raise
        else:
            torch.distributed.destroy_process_group()


def _result_within(reply: Path, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while "result" not in answered(reply):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


class Ranks(ModelParallelStrategy):
    """Lightning's strategy for all of ours: it leaves wrapping to `Parallelism` and checkpoints to `Saver`.

    Lightning's own ModelParallelStrategy knows a mesh of two dimensions, data and tensors.
    """

    def __init__(self, parallelism: Parallelism[Any], saver: Saver, average: Callable[[], dict[str, Any]]) -> None:
        """Take what is together here.

        Args:
            parallelism: the strategy.
            saver: who writes checkpoints.
            average: gives averaged weights, under the names of the whole network, if there are any.

        """
        super().__init__()
        self._parallelism, self._saver, self._average = parallelism, saver, average

    def setup_environment(self) -> None:
        """Lay out the mesh of the ranks that have met."""
        ParallelStrategy.setup_environment(self)
        self.set_world_ranks()
        if torch.distributed.is_initialized():
            names, sizes = zip(*self._parallelism.dimensions.items(), strict=True)
            self._device_mesh = init_device_mesh(self.root_device.type, sizes, mesh_dim_names=names)
            cast("Any", self.lightning_module)._device_mesh = self._device_mesh  # noqa: SLF001 -- as Lightning's own do

    def model_to_device(self) -> None:
        """Move what the strategy wants moved."""
        self._parallelism.place(cast("Any", self.model), self.root_device)

    @contextmanager
    def block_backward_sync(self) -> Iterator[None]:
        """Let gradients add up."""
        with self._parallelism.accumulating():
            yield

    @property
    def network(self) -> Network:
        """The network that learns."""
        return cast("Network", cast("Any", self.lightning_module).network)

    def lightning_module_state_dict(self) -> dict[str, Any]:
        """Give nothing: `save_checkpoint` knows when it is time."""
        return {}

    def optimizer_state(self, optimizer: Any) -> dict[str, Any]:  # noqa: ARG002 -- Lightning's
        """Give nothing, as above."""
        return {}

    def save_checkpoint(self, checkpoint: dict[str, Any], filepath: Any, storage_options: Any = None) -> None:  # noqa: ARG002 -- Lightning's
        """Begin to write a checkpoint; every rank calls this."""
        del checkpoint["state_dict"], checkpoint["optimizer_states"]
        kept = self._parallelism.kept(self.network, self.optimizers[0])
        weights = {"network": get_model_state_dict(kept[0]), "optimizer": optimizer_state(*kept)[0]} if kept else {}
        tensors: dict[str, Any] = weights
        if self._parallelism.apart and self.world_size > 1:  # the mean is for whoever goes on in another way
            tensors = {**mean_over_ranks(weights), APART: {str(self.global_rank): weights}}
        self._saver.save(Path(filepath), tensors | self._own(), checkpoint)

    def load_checkpoint(self, checkpoint_path: Any, weights_only: bool | None = None) -> dict[str, Any]:  # noqa: ARG002 -- Lightning's
        """Load parameters and optimizer state into place, and give the rest.

        Raises:
            FranklinError: the checkpoint is of a later epoch than training is to have.

        """
        own, apart = self._own(), self._parallelism.apart
        kept = self._parallelism.kept(self.network, self.optimizers[0])
        rest, found = load(Path(checkpoint_path), kept, own, apart=apart)
        if kept and AVERAGE not in found:  # it was not averaged before: begin with the weights that it had
            for name, weight in get_model_state_dict(kept[0]).items() if own[AVERAGE] else ():
                own[AVERAGE][name].copy_(weight)
        most = cast("Any", self.lightning_module).trainer.max_epochs
        if rest["epoch"] > most:
            raise FranklinError(
                f"the checkpoint {checkpoint_path} is of epoch {rest['epoch'] + 1}, and trainer.max_epochs={most}; "
                "take as many as it has, or more"
            )
        self._parallelism.resumed(found=STRATEGY in found)
        return rest

    def _own(self) -> dict[str, Any]:
        return {STRATEGY: self._parallelism.state(), AVERAGE: self._average()}

    def load_model_state_dict(self, checkpoint: Mapping[str, Any], strict: bool = True) -> None:
        """Do nothing: `load_checkpoint` has."""

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        """Do nothing: `load_checkpoint` has."""
