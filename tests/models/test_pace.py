"""Who is slow, who waits, and what is told about it."""

from pathlib import Path

import pytest

from conf.fault import Fault
from conf.strategies import StrategyName
from models.pace import Pace, idle_share, straggler_share
from tests.models import launch

FACTOR = 20.0


def paces(*own_and_waited: tuple[float, float]) -> list[Pace]:
    return [Pace(own, waited, steps=10, rows=100) for own, waited in own_and_waited]


def test_the_share_of_the_straggler_is_what_others_wait_for_it() -> None:
    assert straggler_share(paces((1.0, 2.1), (3.0, 0.1))) == pytest.approx(2 / 6.2)
    assert straggler_share(paces((1.0, 0.1), (1.0, 0.1))) == 0
    assert straggler_share(paces((1.0, 0.0), (3.0, 0.0))) == 0  # nobody waits
    assert straggler_share(paces((0.0, 0.0))) == 0


def test_waiting_for_an_exchange_is_idling_too() -> None:
    assert idle_share(paces((1.0, 2.1), (3.0, 0.1))) == pytest.approx(2.2 / 6.2)
    assert idle_share(paces((0.0, 0.0))) == 0


def test_a_pace_is_counted_from_any_moment_on() -> None:
    pace = Pace(own=5.0, waited=2.0, steps=10, rows=300).since(Pace(own=3.0, waited=1.0, steps=4, rows=100))
    assert pace == Pace(own=2.0, waited=1.0, steps=6, rows=200)
    assert pace.rows_per_second == 100


@pytest.mark.distributed
@pytest.mark.soak
@pytest.mark.parametrize("strategy", ["ddp", "fsdp", "pipeline"])
def test_a_slow_rank_is_seen_to_be_slow_and_the_others_to_wait(
    strategy: StrategyName, feature_set: Path, tmp_path: Path
) -> None:
    wanted = launch.request(feature_set, tmp_path, strategy, 2, max_epochs=1)
    slowed = wanted.model_copy(update={"fault": Fault(slow_rank=1, slow_factor=FACTOR)})
    told = launch.run(slowed).metrics
    assert told["rank_1_step_seconds"] > 3 * told["rank_0_step_seconds"]
    assert told["rank_0_wait_seconds"] > 3 * told["rank_1_wait_seconds"]
    assert 0.2 < told["straggler_share"] <= told["idle_share"] < 0.6  # of two ranks, at most one waits
    assert told["rank_0_rows_share"] == 0.5 if strategy == "ddp" else True
    assert told["rank_0_rows_per_second"] > 3 * told["rank_1_rows_per_second"]
