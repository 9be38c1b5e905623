"""Runs are closed whatever happens, by the next run if need be."""

import multiprocessing
import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from conf.compose import compose
from conf.errors import FranklinError
from conf.schema import Settings
from flows.owners import is_alive, owner
from flows.tracking import tracked
from tests.flows.fixtures import Up
from tests.stores import new_store


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    new_store(tmp_path / "home")
    return compose("flights_delay", [f"home={tmp_path / 'home'}", "tracking.uri=null"])


def folder(settings: Settings, name: str) -> Path:
    path = settings.home / "runs" / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def statuses(settings: Settings) -> dict[str, str]:
    client = MlflowClient(f"sqlite:///{settings.home / 'mlflow.db'}")
    runs = client.search_runs([each.experiment_id for each in client.search_experiments()])
    return {run.info.run_name: run.info.status for run in runs}


@pytest.mark.parametrize(
    ("raised", "status"), [(None, "FINISHED"), (ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")]
)
def test_a_run_and_its_stage_are_closed(settings: Settings, raised: type[BaseException] | None, status: str) -> None:
    try:
        with tracked(settings, folder(settings, "one"), "one", {}) as tracker, tracker.nested("stage", {}):
            if raised:
                raise raised
    except (ValueError, KeyboardInterrupt):
        pass
    assert statuses(settings) == {"one": status, "stage": status}


def test_a_folder_that_is_tried_again_goes_on_in_its_run(settings: Settings) -> None:
    ids = set()
    for _ in range(2):
        with tracked(settings, folder(settings, "one"), "one", {}) as tracker:
            ids.add(tracker.run_id)
    assert len(ids) == 1
    assert statuses(settings) == {"one": "FINISHED"}


@pytest.mark.server
def test_with_servers_up_short_engines_go_through_them_and_the_flow_itself_does_not(up: Up, tmp_path: Path) -> None:
    store = f"sqlite:///{up.home / 'mlflow.db'}"
    for words in (["tracking.uri=null"], [f"tracking.uri={store}"]):
        settings = compose("flights_delay", [f"home={up.home}", *words])
        with tracked(settings, folder(settings, "through"), "through", {}) as tracker:
            assert tracker.quick_track.uri == up.mlflow
            assert tracker.track.uri == store
    elsewhere = compose("flights_delay", [f"home={tmp_path}", f"tracking.uri={store}"])
    with tracked(elsewhere, folder(elsewhere, "direct"), "direct", {}) as tracker:
        assert tracker.quick_track == tracker.track


def test_a_run_that_died_and_is_tried_again_is_not_called_abandoned(settings: Settings) -> None:
    process = multiprocessing.get_context("spawn").Process(target=die_at_work, args=(settings,))
    process.start()
    process.join(60)
    with tracked(settings, folder(settings, "dead"), "dead", {}) as tracker:
        assert tracker.abandoned == []
        assert statuses(settings) == {"dead": "RUNNING", "tune": "KILLED", "trial": "KILLED"}


def die_at_work(settings: Settings) -> None:
    dead = tracked(settings, folder(settings, "dead"), "dead", {})
    with dead as tracker, tracker.nested("tune", {}) as stage, stage.nested("trial", {}):
        os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_flow_left_running_is_closed_by_the_next(settings: Settings) -> None:
    process = multiprocessing.get_context("spawn").Process(target=die_at_work, args=(settings,))
    process.start()
    process.join(60)
    assert statuses(settings) == {"dead": "RUNNING", "tune": "RUNNING", "trial": "RUNNING"}
    with tracked(settings, folder(settings, "next"), "next", {}):
        assert statuses(settings) == {"dead": "KILLED", "tune": "KILLED", "trial": "KILLED", "next": "RUNNING"}


def test_a_process_that_ended_and_was_not_waited_for_is_not_alive() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        started = psutil.Process(process.pid).create_time()
        assert is_alive(process.pid, started)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not is_alive(process.pid, started)


def test_a_run_that_a_person_deleted_is_let_be(settings: Settings) -> None:
    process = multiprocessing.get_context("spawn").Process(target=die_at_work, args=(settings,))
    process.start()
    process.join(60)
    client = MlflowClient(f"sqlite:///{settings.home / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("flights_delay").experiment_id
    (dead,) = [run for run in client.search_runs([experiment]) if run.info.run_name == "dead"]
    client.delete_run(dead.info.run_id)
    (settings.home / "runs" / ".DS_Store").touch()
    with tracked(settings, folder(settings, "next"), "next", {}):
        assert statuses(settings)["next"] == "RUNNING"


def test_a_run_that_mlflow_could_not_close_is_left_to_the_next(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise MlflowException("the server is gone")

    path = folder(settings, "one")
    monkeypatch.setattr(MlflowClient, "set_terminated", gone)
    with pytest.raises(ValueError, match="the cause") as raised, tracked(settings, path, "one", {}):
        raise ValueError("the cause")
    assert "the server is gone" in raised.value.__notes__[0]
    left = owner(path)
    assert left is not None
    assert not left.closed


def test_a_deleted_experiment_is_named_with_the_way_back(settings: Settings) -> None:
    with tracked(settings, folder(settings, "one"), "one", {}) as tracker:
        tracker.client.delete_experiment(tracker.experiment_id)
        tracker.client.restore_experiment(tracker.experiment_id)
    tracker.client.delete_experiment(tracker.experiment_id)
    with (
        pytest.raises(FranklinError, match="mlflow experiments restore -x"),
        tracked(settings, folder(settings, "two"), "two", {}),
    ):
        pass
