"""A slow rank gets fewer rows, and nothing else changes."""

from pathlib import Path

import pytest

from conf.compose import compose
from conf.errors import FranklinError
from conf.exchange import TrainRequest, TrainResult
from conf.fault import Fault
from models.balance import smoothed
from tests.models import launch
from tests.models.launch import PLAIN, assert_same, weights


def test_the_last_estimate_counts_as_much_as_the_last_steps() -> None:
    assert smoothed([], [4.0, 8.0]) == [4.0, 8.0]
    assert smoothed([2.0, 2.0], [4.0, 8.0]) == [3.0, 5.0]


def balanced(feature_set: Path, folder: Path, factor: float = 10.0, **trainer: int) -> TrainRequest:
    wanted = launch.request(feature_set, folder, "ddp", 2, **PLAIN, **trainer)
    strategy = launch.parallel("ddp", world_size=2, balance="dynamic")
    return wanted.model_copy(update={"strategy": strategy, "fault": Fault(slow_rank=1, slow_factor=factor)})


@pytest.mark.distributed
def test_a_slow_rank_gets_fewer_rows_and_the_steps_are_those_of_one_process(
    feature_set: Path, single: TrainResult, tmp_path: Path
) -> None:
    result = launch.run(balanced(feature_set, tmp_path))
    assert result.steps == single.steps
    assert result.metrics["rank_1_rows_share"] < 0.35
    assert result.metrics["rank_0_rows_share"] + result.metrics["rank_1_rows_share"] == pytest.approx(1)
    assert result.validation_loss == pytest.approx(single.validation_loss, rel=1e-4)
    assert_same(weights(result), weights(single), tolerance=1e-4)  # sums in another order


@pytest.mark.distributed
@pytest.mark.soak
def test_a_killed_training_goes_on_with_the_rows_that_were_not_seen(
    feature_set: Path, single: TrainResult, tmp_path: Path
) -> None:
    wanted = balanced(feature_set, tmp_path, checkpoint_steps=7)
    resumed = launch.run_and_kill(wanted, after_step=25)
    assert resumed.steps == single.steps
    assert_same(weights(resumed), weights(single), tolerance=1e-4)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (["feed.layout=stored"], r"^strategy.balance=dynamic needs all rows at hand, .* say feed.layout=mapped$"),
        (
            ["feed.transform=a:b", "feed.workers=2"],
            r"^strategy.balance=dynamic deals rows late, .* say feed.workers=0$",
        ),
    ],
)
def test_rows_that_were_read_ahead_can_be_dealt_no_more(changes: list[str], line: str) -> None:
    compose("flights_delay", ["strategy=ddp", *changes])
    with pytest.raises(FranklinError, match=line):
        compose("flights_delay", ["strategy=ddp", "strategy.balance=dynamic", *changes])
