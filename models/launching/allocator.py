"""Where the tensors of ranks on processors get their memory, so that what is let go can be taken again.

PyTorch asks for aligned memory, and glibc (measured: 2.36, as Debian 12 has it) seldom finds a place for that in what
was freed (its bug 14581): steps then take as much memory of the system with gradient checkpointing as without it.
tcmalloc does not have that, and is as quick (`benchmarks/RESULTS.md`, "Memory that the system sees"). Other systems,
and ranks on GPUs, are left as they are.
"""

import ctypes.util
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from conf.training import Checkpointing
from models.parallel.world import count_gpus

BETTER = "tcmalloc_minimal"  # Debian's package libtcmalloc-minimal4
PRELOAD = "LD_PRELOAD"
# Without it: large tensors get pages of their own, PyTorch's large ones, which go back to the system; slower.
OWN_PAGES = {"MALLOC_MMAP_THRESHOLD_": str(2**20), "THP_MEM_ALLOC_ENABLE": "1"}


def better() -> str | None:
    """The file name of tcmalloc, if this machine has it."""
    return ctypes.util.find_library(BETTER)


def variables(checkpointing: Checkpointing, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What to add to the environment of a rank: tcmalloc, or pages that are given back if it is to need little.

    If a person has set one of these variables, nothing: another library that is preloaded may be an allocator too.
    """
    if (
        platform.libc_ver()[0] != "glibc"
        or count_gpus()
        or any(environment.get(name) for name in (PRELOAD, *OWN_PAGES))
    ):
        return {}
    if library := better():
        return {PRELOAD: library}
    return {} if checkpointing == "none" else OWN_PAGES


@contextmanager
def lent(checkpointing: Checkpointing) -> Iterator[None]:
    """Have what is started within get these variables, and nothing after it: an agent may start other trainings."""
    added = variables(checkpointing)
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]
