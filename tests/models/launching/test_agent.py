"""What the agent makes of what torch's own sees: who may be started again, and who waits for nobody."""

import json
from pathlib import Path
from typing import Any, cast

import pytest
from torch.distributed.elastic.agent.server.api import RunResult, WorkerState
from torch.distributed.elastic.agent.server.local_elastic_agent import LocalElasticAgent
from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

from models.launching import agent as agents
from models.launching.agent import Agent
from tests.models import launch

KILLED = RunResult(WorkerState.FAILED, failures={0: ProcessFailure(0, 1, -9, "/nowhere")})


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    """One that may start ranks again once, and has started none."""
    wanted = launch.request(tmp_path, tmp_path / "run", launcher={"restarts": 1})
    return Agent(wanted, tmp_path / "request.json", cast("Any", None), str(tmp_path), first=True)


def look(agent: Agent, seen: RunResult, monkeypatch: pytest.MonkeyPatch) -> RunResult:
    monkeypatch.setattr(LocalElasticAgent, "_monitor_workers", lambda *_: seen)
    return agent._monitor_workers(agent._worker_group)


def started_again(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether torch starts ranks again that were killed; it counts as torch does."""
    look(agent, KILLED, monkeypatch)
    again = agent._remaining_restarts > 0
    agent._remaining_restarts -= again
    return again


def test_failures_count_in_a_row(agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint between them begins the count anew; attempts are numbered on."""
    found = []
    for progress in (False, True, False, False):
        if progress:
            (tmp_path / "run" / "checkpoints" / "step-000000007").mkdir(parents=True)
        found.append(started_again(agent, monkeypatch))
    assert found == [True, True, True, False]
    assert agent._worker_group.spec.max_restarts - agent._remaining_restarts == 3


def test_ranks_that_wait_for_one_that_has_failed_elsewhere_are_ended(
    agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy = RunResult(WorkerState.HEALTHY)
    monkeypatch.setattr(agents, "LOOK_SECONDS", 0)
    assert look(agent, healthy, monkeypatch) is healthy
    (tmp_path / "run" / "answer.json").write_text(json.dumps({"error": "a mistake"}))
    assert look(agent, healthy, monkeypatch) is healthy  # they may end by themselves
    monkeypatch.setattr(agents, "MISTAKE_SECONDS", 0)
    assert look(agent, healthy, monkeypatch).is_failed()
    assert agent._remaining_restarts == 0
