"""A training that is asked to end leaves a checkpoint first, and goes on from it as if nothing had happened."""

import signal
import time
from pathlib import Path

import psutil
import pytest
from lightning.pytorch import Trainer

from conf.exchange import TrainRequest
from conf.strategies import StrategyName
from models.patience import Patience
from models.stopping import take_over
from tests.models import launch
from tests.models.launch import assert_same, ranks_of, wait_for_checkpoint, weights

EPOCH = 200  # steps


EVERY: tuple[StrategyName, ...] = ("ddp", "fsdp", "tensor", "pipeline", "local_sgd", "async")


def wanted_in(feature_set: Path, folder: Path, strategy: StrategyName) -> TrainRequest:
    """A training with checkpoints after epochs alone."""
    request = launch.request(feature_set, folder, strategy, 2, max_epochs=3)
    return request.model_copy(update={"feed": request.feed.model_copy(update={"batch_size": 10})})


def newest(wanted: TrainRequest) -> int:
    return max(int(path.name[5:]) for path in (wanted.run_folder / "checkpoints").glob("step-*[0-9]"))


@pytest.mark.distributed
@pytest.mark.soak
@pytest.mark.parametrize("strategy", EVERY)
def test_sigterm_ends_all_ranks_with_a_checkpoint(strategy: StrategyName, feature_set: Path, tmp_path: Path) -> None:
    wanted = wanted_in(feature_set, tmp_path / "stopped", strategy)
    with launch.start(wanted) as agent:
        wait_for_checkpoint(wanted.run_folder, after_step=1)
        ranks = [psutil.Process(pid) for pid in ranks_of(agent)]
        time.sleep(0.3)  # into the next epoch, past its validation
        asked = time.monotonic()
        agent.terminate()
        left = psutil.wait_procs(ranks, timeout=10)[1]  # what is promised
        print(f"ranks were gone {time.monotonic() - asked:.1f} s after they were asked to end")  # noqa: T201
        assert agent.wait(60) == 128 + signal.SIGTERM
    assert [len(ranks), left] == [2, []]
    assert not wanted.answer.exists()
    assert newest(wanted) % EPOCH
    result = launch.run(wanted)
    assert result.resumed_from_step % EPOCH
    if strategy != "async":  # which is never the same twice
        assert_same(weights(result), weights(launch.run(wanted_in(feature_set, tmp_path / "untouched", strategy))))


def test_who_goes_on_may_have_another_patience() -> None:
    before, now = Patience(4000), Patience(1)
    before.wait_count = 7
    now.load_state_dict(before.state_dict())
    assert (now.patience, now.wait_count) == (1, 7)


def test_lightning_still_does_what_we_keep_it_from() -> None:
    trainer = Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
    assert callable(trainer._signal_connector.register_signal_handlers)
    assert callable(trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor)
    take_over(trainer)
    trainer._signal_connector.register_signal_handlers()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
