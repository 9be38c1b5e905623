"""Checkpoints as shards: written in the background by all ranks, loaded by any number of them.

    step-000000840   shards as torch.distributed.checkpoint writes them, under the names of the whole network, so that
                     any number of ranks and any strategy can load them; and trainer.pt, the rest

A checkpoint is written under another name and renamed when the last rank is done and all of it has reached the disk;
before it is removed, it is renamed too. Should half of one be found all the same (a disk that lost what it had
confirmed, a copy that was cut off), it is told from a whole one by the sizes that it says its files have.
"""

import os
import pickle
import random
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from errno import ENOSPC
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.state_dict import (
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.checkpoint.state_dict_loader import load as load_shards
from torch.distributed.checkpoint.state_dict_saver import async_save
from torch.utils._pytree import tree_map_only

from conf.checkpoints import PARTIAL, complete
from conf.errors import FranklinError

REST = "trainer.pt"
FULL_BYTES = 2**16  # free, of a disk that is full but for what is too little to be given out
AVERAGE = "average"  # below it: averaged weights
STRATEGY = "strategy"  # below it: tensors that a strategy has of its own
APART = "ranks"  # below it, by rank: weights of ranks that hold different ones


class Saver:
    """Writes checkpoints in the background, one at a time.

    Attributes:
        best_step: the step whose checkpoint is kept whatever comes after it.

    """

    def __init__(self, folder: Path, keep: int) -> None:
        """Write into `folder`, and keep the last few."""
        self.best_step = -1
        self._folder, self._keep = folder, keep
        self._pending: Future[None] | None = None
        self._partial = folder  # what is being written, once something is
        self._thread = ThreadPoolExecutor(1, "checkpoint")
        self._group: Any = None

    def save(self, path: Path, tensors: dict[str, Any], rest: dict[str, Any]) -> None:
        """Copy the state, and write it while training goes on; every rank calls this.

        Raises:
            FranklinError, OSError: the last checkpoint could not be written.

        """
        self.wait()
        ranks = torch.distributed.is_initialized()
        if ranks and self._group is None:  # the thread that writes must not use the group that training uses
            self._group = torch.distributed.new_group(backend="gloo")
        rank = torch.distributed.get_rank() if ranks else 0
        partial = path.with_name(path.name + PARTIAL)
        if rank == 0:
            with written(partial):
                partial.mkdir(exist_ok=True)  # another rank may have been quicker
                torch.save(rest, partial / REST)
                _sync(partial / REST)
        writing: Any = async_save(
            tensors | {"random": {str(rank): _random_state()}},
            checkpoint_id=partial,
            process_group=self._group,
            no_dist=not ranks,
        )
        best = self._folder / step_name(self.best_step)  # by now; it may change while this one is written
        self._partial = partial
        self._pending = self._thread.submit(self._finish, writing, partial, path, best, first=rank == 0)

    def wait(self) -> None:
        """Wait for the checkpoint that is being written.

        Raises:
            FranklinError: the disk is full.
            OSError: it could not be written for another reason.

        """
        if self._pending is not None:
            pending, self._pending = self._pending, None
            with written(self._partial):
                pending.result()

    def _finish(self, writing: Future[Any], partial: Path, path: Path, best: Path, *, first: bool) -> None:
        writing.result()  # on the first rank: of all ranks
        if not first:
            return
        remove_whole(path)  # of an earlier attempt
        _sync(partial)
        partial.rename(path)
        _sync(self._folder)
        for old in complete(self._folder)[: -self._keep]:
            if old != best:
                remove_whole(old)


@contextmanager
def written(partial: Path) -> Iterator[None]:
    """Say in one line why a file, or a folder of them, could not be written.

    On a full disk, what there was of it is removed: there has to be room for what is said.

    Raises:
        FranklinError: its disk is full.
        OSError: there is another reason.

    """
    try:
        yield
    except CheckpointException as error:  # which is no Exception, and has those of all ranks
        rank, (reason, _) = min(error.failures.items())
        raise _told(partial, f"rank {rank}: {reason}") from None
    except (OSError, RuntimeError) as error:
        raise _told(partial, str(error)) from error


def _told(partial: Path, reason: str) -> Exception:
    folder = partial.parent
    if os.strerror(ENOSPC) in reason or shutil.disk_usage(folder).free < FULL_BYTES:
        with suppress(FileNotFoundError):  # another rank may remove it too
            remove(partial)
        return FranklinError(f"the disk of {folder} is full; make room there, or set home to another disk")
    return OSError(f"{partial} cannot be written: {reason}")


def step_name(step: int) -> str:
    """The name of a checkpoint after so many steps."""
    return f"step-{step:09d}"


def damage(path: Path) -> str | None:
    """What a checkpoint lacks, if it is not whole."""
    try:
        stored = FileSystemReader(path).read_metadata().storage_data.values()
        torch.load(path / REST, weights_only=True)
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
        return str(error).partition("\n")[0] or "a file is empty"
    for each in stored:
        file = path / each.relative_path
        if not file.exists():
            return f"{file.name} is missing"
        if file.stat().st_size < each.offset + each.length:
            return f"{file.name} is too short"
    return None


def load(
    path: Path, kept: tuple[nn.Module, torch.optim.Optimizer] | None, own: dict[str, Any], *, apart: bool = False
) -> tuple[dict[str, Any], set[str]]:
    """Load a checkpoint into a network, its optimizer and what else has tensors of its `own`; every rank calls this.

    Args:
        path: the checkpoint.
        kept: what this rank holds of the network, and the optimizer of that; None: another rank does.
        own: further tensors by name, which are loaded if they are there.
        apart: whether this rank's own weights are wanted, if there were as many ranks that had some.

    Returns:
        What Lightning wants to know besides, and the names of `own` that were there.

    """
    rank = str(torch.distributed.get_rank()) if torch.distributed.is_initialized() else "0"
    there = FileSystemReader(path).read_metadata().state_dict_metadata
    held, names = optimizer_state(*kept) if kept else ({}, [])
    weights = {"network": get_model_state_dict(kept[0]), "optimizer": held} if kept else {}
    ranks = {name.split(".")[1] for name in there if name.startswith(f"{APART}.")}
    world = torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1
    had = apart and ranks == set(map(str, range(world)))
    state: dict[str, Any] = {APART: {rank: weights}} if had else dict(weights)
    found = own.keys() & {name.partition(".")[0] for name in there}
    state |= {name: own[name] for name in found}
    if f"random.{rank}" in there:
        state["random"] = {rank: b""}  # a rank that there was not before has what its seed gave it
    load_shards(state, checkpoint_id=path, no_dist=not torch.distributed.is_initialized())
    if kept:
        set_model_state_dict(kept[0], weights["network"])
        for group, parameters in zip(held["param_groups"], names, strict=True):
            group["params"] = parameters
        set_optimizer_state_dict(*kept, held)
    if "random" in state:
        _set_random_state(state["random"][rank])
    rest: dict[str, Any] = torch.load(path / REST, weights_only=True)
    return rest, found


def mean_over_ranks(tensors: Any) -> Any:
    """Copy floating-point tensors, in whatever containers, as their means over all ranks; all ranks call this."""

    def mean(tensor: Tensor) -> Tensor:
        if not tensor.is_floating_point():
            return tensor
        summed = tensor.detach().clone()
        torch.distributed.all_reduce(summed)
        return summed / torch.distributed.get_world_size()

    return tree_map_only(Tensor, mean, tensors)


def optimizer_state(network: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[dict[str, Any], list[list[str]]]:
    """Give what this rank holds of an optimizer's state, and apart from it the parameters of each of its groups.

    Ranks may hold different parameters, but what a checkpoint says of a group has to hold for all of them.
    """
    state: dict[str, Any] = get_optimizer_state_dict(network, optimizer)
    return state, [group.pop("params") for group in state["param_groups"]]


def consolidate(checkpoint: Path, network: nn.Module) -> dict[str, Tensor]:
    """Put a checkpoint's shards together into the whole state of `network`, a plain one; one process does this.

    Where weights were averaged, it is their average.
    """
    whole = network.state_dict()
    kept = FileSystemReader(checkpoint).read_metadata().state_dict_metadata
    which = AVERAGE if any(name.startswith(f"{AVERAGE}.") for name in kept) else "network"
    load_shards({which: whole}, checkpoint_id=checkpoint, no_dist=True)
    return whole


def remove_whole(path: Path) -> None:
    """Remove a complete checkpoint, if it is there, of which nobody shall find half."""
    if path.exists():
        going = path.with_name(f"{path.name}-old{PARTIAL}")
        remove(going)
        path.rename(going)
        remove(going)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, have reached the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _random_state() -> bytes:
    return pickle.dumps((random.getstate(), np.random.get_state(), torch.get_rng_state()))  # noqa: NPY002 -- what transforms may use


def _set_random_state(state: bytes) -> None:
    python, numpy, here = pickle.loads(state)  # noqa: S301 -- our own file
    random.setstate(python)
    np.random.set_state(numpy)  # noqa: NPY002
    torch.set_rng_state(here)
