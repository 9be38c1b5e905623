"""How many ranks a strategy gets."""

import os
import subprocess
import sys

import pytest

from conf.errors import FranklinError
from models.parallel.world import world_size
from tests.models.launch import parallel


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})


def test_without_gpus_two_processes_or_what_is_said() -> None:
    assert world_size(parallel("single", world_size=None), 1024) == 1
    assert world_size(parallel("ddp", world_size=None), 1024) == 2
    assert world_size(parallel("fsdp", world_size=1), 1024) == 1


def test_a_rank_per_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    assert world_size(parallel("ddp", world_size=None), 1024) == 4


def test_as_many_gpus_as_share_a_batch_equally(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3,4,5")
    assert world_size(parallel("ddp", world_size=None), 1024) == 4
    assert world_size(parallel("ddp", world_size=None), 1536) == 6


def test_more_ranks_than_cores_is_an_error() -> None:
    with pytest.raises(FranklinError, match=r"^strategy.world_size=64: this machine has 2 cores; take at most 2$"):
        world_size(parallel("ddp", world_size=64), 1024)


def test_a_batch_that_ranks_cannot_share_equally_is_an_error() -> None:
    with pytest.raises(FranklinError, match=r"feed.batch_size=1023 .* by 2 ranks; take feed.batch_size=102[24]$"):
        world_size(parallel("ddp", world_size=2), 1023)


def test_needs_no_torch() -> None:
    script = "import sys, models.parallel.world; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
