"""How many ranks there are; asked before any rank runs, so without torch."""

import os
import shutil
import subprocess
import sys
from math import lcm
from typing import NamedTuple

from conf.errors import FranklinError
from conf.strategies import AnyStrategy, Async, Fsdp, Pipeline, Tensor

CPU_RANKS = 2


class Room(NamedTuple):
    """What there is to put ranks on.

    Attributes:
        most: ranks at most.
        have: what that is, for a person.
        fill: whether all of it is taken, unless a strategy says how many ranks.
        unit: ranks come in multiples of this.
        gpus: whether there are GPUs; None: nobody here knows.

    """

    most: int
    have: str
    fill: bool
    unit: int = 1
    gpus: bool | None = None


def machines(number: int = 1) -> Room:
    """So many machines like this one: a rank for each GPU, or for each core without one."""
    gpus, cores = count_gpus(), count_cores()
    kind, each = ("GPU", gpus) if gpus else ("core", max(cores, CPU_RANKS))
    have = f"{gpus or cores} {kind}{'s' * ((gpus or cores) > 1)}"
    where = "this machine has" if number == 1 else f"each of {number} machines like this one has"
    return Room(each * number, f"{where} {have}", fill=bool(gpus), unit=number, gpus=bool(gpus))


def world_size(strategy: AnyStrategy, batch_size: int, room: Room | None = None) -> int:
    """Ranks that `strategy` gets: what it says, or all that there is room for, or two processes without a GPU.

    Unless it says how many, as many are taken as can share a batch equally.

    Args:
        strategy: the parallelism chosen.
        batch_size: rows of one step over all ranks together.
        room: what ranks are put on; None: this machine.

    Raises:
        FranklinError: more ranks than there is room for, ranks that the strategy cannot lay out, GPUs that are asked
            for and not there, or a batch that ranks cannot share equally.

    """
    room = room or machines()
    _check_gpus(strategy, room)
    unit = lcm(_unit(strategy), room.unit)
    fitting = (ranks for ranks in range(unit, room.most + 1, unit) if room.fill)
    sharing = max((ranks for ranks in fitting if batch_size % _replicas(strategy, ranks) == 0), default=0)
    ranks = 1 if strategy.name == "single" else strategy.world_size or sharing or max(CPU_RANKS, unit)
    if ranks > room.most:
        if isinstance(strategy, Tensor) and not strategy.world_size:
            said = f"strategy.tensor_size={strategy.tensor_size}"
        else:
            said = f"strategy.world_size={ranks}"
        raise FranklinError(f"{said}: {room.have}; take at most {room.most}")
    if ranks % room.unit:
        way = "choose another strategy, such as ddp" if strategy.name == "single" else f"take a multiple of {room.unit}"
        raise FranklinError(f"{ranks} rank{'s' * (ranks > 1)} cannot be shared equally by {room.unit} machines; {way}")
    if isinstance(strategy, Async):
        _check_async(strategy, ranks, room)
    _check_layout(strategy, ranks, batch_size)
    replicas = _replicas(strategy, ranks)
    if batch_size % replicas:
        nearest = max(1, round(batch_size / replicas)) * replicas
        apart = f"{replicas} ranks" if replicas == ranks else f"{replicas} groups of ranks"
        raise FranklinError(
            f"feed.batch_size={batch_size} cannot be shared equally by {apart}; take feed.batch_size={nearest}",
        )
    return ranks


def _check_gpus(strategy: AnyStrategy, room: Room) -> None:
    if isinstance(strategy, Fsdp) and strategy.offload and room.gpus is False:
        raise FranklinError(
            "strategy.offload=true keeps shards for a GPU in the processor's memory, and this machine has no GPU; "
            "take strategy.offload=false"
        )


def _unit(strategy: AnyStrategy) -> int:
    """Ranks come in multiples of this."""
    if isinstance(strategy, Tensor):
        return strategy.tensor_size
    return strategy.replicas if isinstance(strategy, Fsdp) else 1


def _replicas(strategy: AnyStrategy, ranks: int) -> int:
    """How many ranks, or groups of ranks, see rows of their own."""
    if isinstance(strategy, Tensor):
        return ranks // strategy.tensor_size
    return 1 if isinstance(strategy, Pipeline | Async) else ranks


def _check_layout(strategy: AnyStrategy, ranks: int, batch_size: int) -> None:
    unit = _unit(strategy)
    if ranks % unit:
        key = "tensor_size" if isinstance(strategy, Tensor) else "replicas"
        enough = -(-ranks // unit) * unit
        raise FranklinError(
            f"strategy.{key}={unit} does not divide {ranks} rank{'s' * (ranks > 1)}; take strategy.world_size={enough}"
        )
    if isinstance(strategy, Pipeline):
        _check_parts(strategy, ranks, batch_size)


def _check_async(strategy: Async, ranks: int, room: Room) -> None:
    if room.gpus:
        raise FranklinError(
            f"strategy=async works on processors, and {room.have}; take strategy=local_sgd, or hide what is there by "
            "CUDA_VISIBLE_DEVICES="
        )
    if strategy.max_staleness < ranks - 1:  # or ranks that are done at the same time would wait for ever
        raise FranklinError(
            f"strategy.max_staleness={strategy.max_staleness} is too little for {ranks} ranks, whose gradients may "
            f"arrive at the same time; take at least {ranks - 1}"
        )


def _check_parts(strategy: Pipeline, ranks: int, batch_size: int) -> None:
    parts, key = strategy.parts(ranks), "strategy.microbatches"
    if parts > batch_size:
        raise FranklinError(f"feed.batch_size={batch_size} has too few rows for {key}={parts}; take at least {parts}")
    if strategy.schedule == "gpipe":
        return
    if parts < ranks:  # a rank would wait for ever for the parts that keep the others busy
        raise FranklinError(f"{key}={parts} is too few for {ranks} ranks in turns; take {key}={4 * ranks}")
    if strategy.schedule == "interleaved" and parts % ranks:
        nearest = max(1, round(parts / ranks)) * ranks
        raise FranklinError(
            f"{key}={parts} is no multiple of {ranks} ranks, as interleaving needs; take {key}={nearest}"
        )


def count_cores() -> int:
    """CPU cores that this process may use (Linux), or that the machine has."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def count_gpus() -> int:
    """NVIDIA GPUs that this process may use: those of the driver, or fewer if CUDA_VISIBLE_DEVICES says so."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([device for device in visible.split(",") if device.strip() not in ("", "-1")])
    if shutil.which("nvidia-smi") is None:
        return 0
    listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return sum(line.startswith("GPU ") for line in listing.stdout.splitlines())
