"""How many ranks there are; asked before any rank runs, so without torch."""

import os
import shutil
import subprocess
import sys

from conf.errors import FranklinError
from conf.strategies import AnyStrategy, Async, Fsdp, Pipeline, Tensor

CPU_RANKS = 2


def world_size(strategy: AnyStrategy, batch_size: int) -> int:
    """Ranks that `strategy` gets on this machine: what it says, or every GPU, or two processes without one.

    Unless it says how many, as many GPUs are taken as can share a batch equally.

    Args:
        strategy: the parallelism chosen.
        batch_size: rows of one step over all ranks together.

    Raises:
        FranklinError: more ranks than GPUs (or CPU cores without any), ranks that the strategy cannot lay out, or a
            batch that they cannot share equally.

    """
    gpus, cores = count_gpus(), count_cores()
    most, have = (gpus, f"{gpus} GPU") if gpus else (max(cores, CPU_RANKS), f"{cores} core")
    fitting = (ranks for ranks in range(1, gpus + 1) if ranks % _unit(strategy) == 0)
    sharing = max((ranks for ranks in fitting if batch_size % _replicas(strategy, ranks) == 0), default=0)
    ranks = 1 if strategy.name == "single" else strategy.world_size or sharing or max(CPU_RANKS, _unit(strategy))
    if ranks > most:
        plural = "" if have.startswith("1 ") else "s"
        raise FranklinError(f"strategy.world_size={ranks}: this machine has {have}{plural}; take at most {most}")
    if isinstance(strategy, Async):
        _check_async(strategy, ranks, gpus)
    _check_layout(strategy, ranks, batch_size)
    replicas = _replicas(strategy, ranks)
    if batch_size % replicas:
        nearest = max(1, round(batch_size / replicas)) * replicas
        apart = f"{replicas} ranks" if replicas == ranks else f"{replicas} groups of ranks"
        raise FranklinError(
            f"feed.batch_size={batch_size} cannot be shared equally by {apart}; take feed.batch_size={nearest}",
        )
    return ranks


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


def _check_async(strategy: Async, ranks: int, gpus: int) -> None:
    if gpus:
        raise FranklinError(
            f"strategy=async works on processors, and this machine has {gpus} GPU{'s' * (gpus > 1)}; take "
            "strategy=local_sgd, or hide what is there by CUDA_VISIBLE_DEVICES="
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
