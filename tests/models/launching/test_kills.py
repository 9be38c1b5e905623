"""`kill -9` of a rank, of the agent, of all of them: training ends with the very parameters that it would have had."""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from typing import Any, NamedTuple

import pytest
from torch import Tensor

from conf.exchange import TrainRequest, TrainResult
from tests.feature_sets import write_feature_set
from tests.models import launch
from tests.models.launch import assert_same, kill, ranks_of, wait_for_checkpoint, weights

pytestmark = pytest.mark.distributed
CHOSEN = random.Random(20261125)  # noqa: S311, of moments, which are no secret
LONG: dict[str, Any] = {"checkpoint_steps": 7, "max_epochs": 6}


class Untouched(NamedTuple):
    """A training that nobody disturbs."""

    feature_set: Path
    result: TrainResult
    weights: dict[str, Tensor]
    seconds: float


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Untouched:
    feature_set = tmp_path_factory.mktemp("binary")
    write_feature_set(feature_set, "binary")
    began = time.monotonic()
    result = launch.run(launch.request(feature_set, tmp_path_factory.mktemp("untouched"), "ddp", 2, **LONG))
    return Untouched(feature_set, result, weights(result), time.monotonic() - began)


def assert_nothing_was_lost(result: TrainResult, untouched: Untouched) -> None:
    assert_same(weights(result), untouched.weights)
    assert (result.steps, result.best_epoch) == (untouched.result.steps, untouched.result.best_epoch)
    assert result.validation_loss == untouched.result.validation_loss


def a_rank(agent: Popen[str]) -> list[int]:
    return [CHOSEN.choice(found)] if (found := ranks_of(agent)) else []


def the_agent(agent: Popen[str]) -> list[int]:
    return [agent.pid]


def the_group(agent: Popen[str]) -> list[int]:
    return [agent.pid, *ranks_of(agent)]


def test_a_rank_is_killed_and_the_run_resumes_by_itself(untouched: Untouched, tmp_path: Path) -> None:
    wanted = launch.request(untouched.feature_set, tmp_path, "ddp", 2, **LONG)
    result = launch.run_and_kill(wanted, after_step=25)
    assert "rank 1 on " in launch.log(wanted)
    assert "was ended by SIGKILL; ranks start again" in launch.log(wanted)
    assert_nothing_was_lost(result, untouched)


@pytest.mark.soak
@pytest.mark.parametrize("victims", [the_agent, the_group])
def test_the_agent_is_killed_and_the_next_call_goes_on(
    victims: Callable[[Popen[str]], list[int]], untouched: Untouched, tmp_path: Path
) -> None:
    wanted = launch.request(untouched.feature_set, tmp_path, "ddp", 2, **LONG)
    with launch.start(wanted) as agent:
        wait_for_checkpoint(tmp_path, after_step=25)
        ranks = ranks_of(agent)
        kill(victims(agent))
        agent.communicate(timeout=60)
    assert len(ranks) == 2
    assert not wanted.answer.exists()
    result = launch.run(wanted)
    assert (result.restarts, result.resumed_from_step > 25) == (0, True)
    assert_nothing_was_lost(result, untouched)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_at_twenty_random_moments(untouched: Untouched, tmp_path: Path) -> None:
    for number in range(20):
        victims = (a_rank, the_agent, the_group)[number % 3]
        moment = CHOSEN.uniform(0, untouched.seconds)
        wanted = launch.request(untouched.feature_set, tmp_path / str(number), "ddp", 2, **LONG)
        with launch.start(wanted) as agent:
            time.sleep(moment)
            kill(victims(agent))
            agent.communicate(timeout=120)
        result = launch.result(wanted) if wanted.answer.exists() else launch.run(wanted)
        print(f"{victims.__name__} after {moment:.1f} s: from step {result.resumed_from_step}")  # noqa: T201
        assert_nothing_was_lost(result, untouched)


def broken(_: Any) -> Any:
    """A transform with a defect."""
    raise ZeroDivisionError("a defect")


def with_transform(wanted: TrainRequest, name: str) -> TrainRequest:
    return wanted.model_copy(update={"feed": wanted.feed.model_copy(update={"transform": f"{__name__}:{name}"})})


@pytest.mark.soak
def test_what_fails_again_and_again_without_getting_further_is_given_up(untouched: Untouched, tmp_path: Path) -> None:
    wanted = launch.request(untouched.feature_set, tmp_path, launcher={"restarts": 1})
    with launch.start(with_transform(wanted, "broken")) as agent:
        agent.communicate()
    assert agent.returncode == 1
    error = launch.answer(wanted)["error"]
    assert error.startswith("training failed 2 times in a row without getting further; the last time, rank 0 on ")
    assert error.endswith(" raised ZeroDivisionError: a defect")


BATCHES = {0: 0, 1: 25, 2: 0}  # that each attempt has before it fails; the second one has checkpoints by then


def failing_thrice(batch: Any) -> Any:
    """A transform with a defect that comes and goes."""
    failing_thrice.calls += 1  # type: ignore[attr-defined]
    if failing_thrice.calls > BATCHES.get(int(os.environ["TORCHELASTIC_RESTART_COUNT"]), 1000):  # type: ignore[attr-defined]
        raise ZeroDivisionError("a defect")
    return batch


failing_thrice.calls = 0  # type: ignore[attr-defined]


@pytest.mark.soak
def test_what_got_further_is_forgiven_all_that_was_before(untouched: Untouched, tmp_path: Path) -> None:
    wanted = launch.request(untouched.feature_set, tmp_path, launcher={"restarts": 1}, **LONG)
    result = launch.run(with_transform(wanted, "failing_thrice"))
    assert result.restarts == 3
