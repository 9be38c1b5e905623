"""How many ranks a strategy gets."""

import os
import re
import subprocess
import sys

import pytest

from conf.compose import compose
from conf.errors import FranklinError
from conf.strategies import AnyStrategy
from models.parallel.room import ranks_of
from models.parallel.world import machines, world_size
from tests.flows.fixtures import taken_port
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


def test_ranks_that_split_a_layer_share_a_batch_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert world_size(parallel("tensor", world_size=None), 1023) == 2
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3,4,5")
    assert world_size(parallel("tensor", world_size=None), 1536) == 6
    assert world_size(parallel("tensor", world_size=None), 1024) == 4
    assert world_size(parallel("tensor", world_size=None, tensor_size=4), 1023) == 4
    with pytest.raises(FranklinError, match=r"by 3 groups of ranks; take feed.batch_size=1023$"):
        world_size(parallel("tensor", world_size=6), 1024)


@pytest.mark.parametrize(
    ("strategy", "line"),
    [
        (
            parallel("tensor", world_size=3),
            "strategy.tensor_size=2 does not divide 3 ranks; take strategy.world_size=4",
        ),
        (parallel("fsdp", world_size=3, replicas=2), "strategy.replicas=2 does not divide 3 ranks; take strategy.wor"),
        (parallel("tensor", tensor_size=8), "strategy.tensor_size=8: this machine has 4 GPUs; take at most 4"),
        (parallel("pipeline", world_size=4, microbatches=3), "=3 is too few for 4 ranks in turns; take strategy.micr"),
        (parallel("pipeline", world_size=4, microbatches=99), "feed.batch_size=64 has too few rows for strategy.micro"),
        (
            parallel("pipeline", world_size=4, schedule="interleaved", microbatches=6),
            "strategy.microbatches=6 is no multiple of 4 ranks, as interleaving needs; take strategy.microbatches=8",
        ),
    ],
)
def test_ranks_that_a_strategy_cannot_lay_out(
    strategy: AnyStrategy, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    with pytest.raises(FranklinError, match=re.escape(line)):
        world_size(strategy, 64)


def test_a_pipeline_shares_no_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    assert world_size(parallel("pipeline", world_size=None), 1023) == 4
    assert world_size(parallel("pipeline", world_size=None, schedule="gpipe", microbatches=3), 1023) == 4


def test_ranks_that_take_whole_batches_share_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert world_size(parallel("async", world_size=None), 1023) == 2
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    with pytest.raises(FranklinError, match=r"^strategy.max_staleness=8 is too little for 12 ranks, .* at least 11$"):
        world_size(parallel("async", world_size=12), 1024)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with pytest.raises(FranklinError, match=r"^strategy=async works on processors, and this machine has 2 GPUs; take"):
        world_size(parallel("async", world_size=None), 1024)


def test_only_interleaving_has_several_stages_of_a_rank() -> None:
    assert parallel("pipeline", schedule="interleaved", stages_per_rank=3).name == "pipeline"
    with pytest.raises(ValueError, match=r"schedule=1f1b has one stage per rank, not 2; choose strategy.schedule=int"):
        parallel("pipeline", stages_per_rank=2)


def test_machines_share_ranks_equally(monkeypatch: pytest.MonkeyPatch) -> None:
    assert world_size(parallel("ddp", world_size=None), 1024, machines(2)) == 2
    assert world_size(parallel("ddp", world_size=4), 1024, machines(2)) == 4
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    assert world_size(parallel("ddp", world_size=None), 1024, machines(2)) == 4
    assert world_size(parallel("ddp", world_size=None), 1536, machines(2)) == 6


@pytest.mark.parametrize(
    ("strategy", "line"),
    [
        (parallel("ddp", world_size=8), "=8: each of 2 machines like this one has 2 cores; take at most 4"),
        (parallel("ddp", world_size=3), "3 ranks cannot be shared equally by 2 machines; take a multiple of 2"),
        (parallel("single"), "1 rank cannot be shared equally by 2 machines; choose another strategy, such as ddp"),
    ],
)
def test_ranks_that_machines_cannot_share(strategy: AnyStrategy, line: str) -> None:
    with pytest.raises(FranklinError, match=re.escape(line)):
        world_size(strategy, 1536, machines(2))


def test_what_needs_a_gpu_is_refused_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    offload = parallel("fsdp", offload=True)
    with pytest.raises(
        FranklinError, match=r"^strategy.offload=true .*, and this machine has no GPU; take strategy.of"
    ):
        world_size(offload, 1024)
    accelerated = compose("flights_delay", ["trainer.accelerator=gpu"])
    with pytest.raises(FranklinError, match=r"^trainer.accelerator=gpu: this machine has no GPU; take trainer.acc"):
        ranks_of(accelerated)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert (world_size(offload, 1024), ranks_of(accelerated)) == (2, 1)


def test_an_address_that_is_taken_is_told_before_anything_starts() -> None:
    with taken_port() as port:
        address = f"launcher.address=127.0.0.1:{port}"
        with pytest.raises(FranklinError, match=f"^{address}: that port is in use"):
            ranks_of(compose("flights_delay", ["launcher.nodes=2", "strategy=ddp", address]))


def test_needs_no_torch() -> None:
    script = "import sys, models.parallel.room; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_blocks_that_cannot_be_cut_are_told_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    said = ["strategy=pipeline", "strategy.world_size=8", "strategy.microbatches=8"]
    assert ranks_of(compose("flights_delay", [*said, "model.hidden=[8,8,8,8,8,8]"])) == 8
    line = "strategy=pipeline: model=mlp has 5 parts at most, too few for 8 stages; take strategy.world_size=5"
    with pytest.raises(FranklinError, match=f"^{line}$"):
        ranks_of(compose("flights_delay", said))
    many = ["strategy=pipeline", "strategy.world_size=2", "strategy.schedule=interleaved", "strategy.stages_per_rank=8"]
    with pytest.raises(FranklinError, match=r"too few for 16 stages; take strategy.stages_per_rank=2$"):
        ranks_of(compose("flights_delay", [*many, "strategy.microbatches=8"]))


def test_a_network_that_cannot_be_split_is_told_before_anything_starts() -> None:
    with pytest.raises(FranklinError, match=r"^strategy=tensor: model=cnn has no block .* choose strategy=fsdp"):
        ranks_of(compose("digits", ["strategy=tensor"]))
