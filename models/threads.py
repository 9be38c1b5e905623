"""How many processor threads a rank uses."""

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import torch

from models.networks.network import Network

FLOP_PER_MULTIPLICATION = 6  # of the forward pass: two there, four backward (Kaplan et al. 2020, section 2.1)
FLOP_PER_THREAD = 1e9  # of one step; with less, threads wait for one another longer than they work


def share_cores(network: Network, rows: int, share: int) -> None:
    """Give this rank its share of cores, for arithmetic only as many as its steps of `rows` rows feed.

    At half of `FLOP_PER_THREAD` a second thread made steps 1.5 times as fast on a quiet machine, and 2.6 times as slow
    beside one other busy process, even with little spinning (`benchmarks/threads.py`). The number depends on the
    configuration and the machine alone, so a resumed training adds up in the same order.
    """
    fed = round(FLOP_PER_MULTIPLICATION * network.multiplications() * rows / FLOP_PER_THREAD)
    torch.set_num_threads(min(max(1, fed), share))
    pa.set_cpu_count(share)


@contextmanager
def one_thread() -> Iterator[None]:
    """Do arithmetic in one thread, for what feeds no more; others' processes cost it nothing then."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
