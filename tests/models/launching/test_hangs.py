"""A rank that hangs is found by all others, named, and shown with its stack."""

import os
import re
import signal
import time
from pathlib import Path

import pytest

from conf.exchange import TrainRequest
from models.feeds.batch import Batch
from models.watching import Watch
from tests.flows.fixtures import free_port
from tests.models import launch
from tests.models.launch import ranks_of, wait_for_checkpoint

pytestmark = pytest.mark.distributed
HANG_SECONDS = 5
given: list[int] = []


def wanted_in(feature_set: Path, folder: Path, ranks: int, transform: str | None = None) -> TrainRequest:
    name = "ddp" if ranks > 1 else "single"
    launcher = {"hang_seconds": HANG_SECONDS}
    wanted = launch.request(
        feature_set, folder, name, ranks, launcher=launcher, max_epochs=4000, patience=4000, checkpoint_steps=7
    )
    feed = wanted.feed.model_copy(update={"transform": transform and f"{__name__}:{transform}"})
    return wanted.model_copy(update={"feed": feed})


def sleeps_in_the_last_rank(batch: Batch) -> Batch:
    """A transform that never gives the ninth batch."""
    given.append(len(batch.label))
    if len(given) == 9 and int(os.environ["RANK"]) == int(os.environ["WORLD_SIZE"]) - 1:
        time.sleep(3600)
    return batch


@pytest.mark.timeout(60)
def test_a_rank_whose_store_is_gone_when_it_is_done_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(free_port()))
    with Watch(1, 2, HANG_SECONDS, tmp_path / "answer.json").running() as watch:
        watch.mark("training")
    assert not (tmp_path / "answer.json").exists()


@pytest.mark.soak
@pytest.mark.parametrize("ranks", [1, 2])
def test_a_rank_that_sleeps_is_named_with_its_step_and_its_stack(ranks: int, feature_set: Path, tmp_path: Path) -> None:
    wanted = wanted_in(feature_set, tmp_path, ranks, "sleeps_in_the_last_rank")
    with launch.start(wanted) as agent:
        agent.communicate(timeout=120)
    assert agent.returncode == 1
    assert re.fullmatch(
        rf"rank {ranks - 1} has got no further for {HANG_SECONDS} seconds: it is waiting for its batch at step 8 "
        r"\(epoch 1, batch 9\), in launching/test_hangs.py:\d+ in sleeps_in_the_last_rank; "
        "the log has the stacks of all ranks",
        launch.answer(wanted)["error"],
    )
    log = launch.log(wanted)
    assert [f"rank {rank} is here:" in log for rank in range(ranks)] == [True] * ranks
    assert "    time.sleep(3600)\n" in log
    assert "start again" not in log


@pytest.mark.soak
def test_a_rank_that_is_stopped_is_named(feature_set: Path, tmp_path: Path) -> None:
    wanted = wanted_in(feature_set, tmp_path, 2)
    with launch.start(wanted) as agent:
        wait_for_checkpoint(tmp_path, after_step=10)
        time.sleep(2)  # ranks tell each second how far they are
        first, _ = ranks_of(agent)
        os.kill(first, signal.SIGSTOP)
        agent.communicate(timeout=120)
    assert agent.returncode == 1
    assert re.fullmatch(
        r"rank 0 does not answer: its process was stopped, or its machine is gone; it was last seen .* at step \d+ "
        r"\(epoch \d+, batch \d+\); the log has the stacks of all ranks",
        launch.answer(wanted)["error"],
    )
