"""How many ranks there are; asked before any rank runs, so without torch."""

import os
import shutil
import subprocess
import sys

from conf.errors import FranklinError
from conf.strategies import AnyStrategy

CPU_RANKS = 2


def world_size(strategy: AnyStrategy, batch_size: int) -> int:
    """Ranks that `strategy` gets on this machine: what it says, or every GPU, or two processes without one.

    Unless it says how many, as many GPUs are taken as can share a batch equally.

    Args:
        strategy: the parallelism chosen.
        batch_size: rows of one step over all ranks together.

    Raises:
        FranklinError: more ranks than GPUs (or CPU cores without any), or a batch that they cannot share equally.

    """
    gpus, cores = count_gpus(), count_cores()
    most, have = (gpus, f"{gpus} GPU") if gpus else (max(cores, CPU_RANKS), f"{cores} core")
    sharing = max((ranks for ranks in range(1, gpus + 1) if batch_size % ranks == 0), default=CPU_RANKS)
    ranks = 1 if strategy.name == "single" else strategy.world_size or sharing
    if ranks > most:
        plural = "" if have.startswith("1 ") else "s"
        raise FranklinError(f"strategy.world_size={ranks}: this machine has {have}{plural}; take at most {most}")
    if batch_size % ranks:
        nearest = max(1, round(batch_size / ranks)) * ranks
        raise FranklinError(
            f"feed.batch_size={batch_size} cannot be shared equally by {ranks} ranks; take feed.batch_size={nearest}",
        )
    return ranks


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
