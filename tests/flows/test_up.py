"""`franklin up` beyond what the fixture of the same name shows: a second one, and one that is killed outright."""

import signal
import time
from pathlib import Path

import psutil
import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Pending

from tests.flows.command import complaint, franklin
from tests.flows.fixtures import Up, free_port, servers_up

pytestmark = [pytest.mark.e2e, pytest.mark.server]


def test_a_second_one_in_the_same_home_says_where_the_first_listens(up: Up) -> None:
    line = complaint(franklin("up", "--prefect-port", free_port(), "--mlflow-port", free_port(), home=up.home))
    assert up.prefect in line
    assert up.mlflow in line


def test_a_taken_port_is_named(up: Up, tmp_path: Path) -> None:
    port = up.prefect.rpartition(":")[2]
    assert f"port {port} is taken" in complaint(franklin("up", "--prefect-port", port, home=tmp_path))


@pytest.mark.soak
def test_nothing_outlives_one_that_is_killed_and_the_next_takes_up_what_it_left(tmp_path: Path) -> None:
    wrong = {"overrides": ["trainer.max_epochs=0"]}  # so that it is soon over
    with servers_up(tmp_path) as (process, first):
        with temporary_settings({PREFECT_API_URL: f"{first.prefect}/api"}), get_client(sync_client=True) as prefect:
            deployment = prefect.read_deployment_by_name("pipeline/flights-delay").id
            left = prefect.create_flow_run_from_deployment(deployment, parameters=wrong, state=Pending()).id
        below = psutil.Process(process.pid).children(recursive=True)
        assert len(below) >= 6
        process.kill()
        process.wait()
        assert psutil.wait_procs(below, timeout=15)[1] == []
    ports = (first.prefect.rpartition(":")[2], first.mlflow.rpartition(":")[2])
    with servers_up(tmp_path, *ports) as (process, second):
        assert second == first
        with temporary_settings({PREFECT_API_URL: f"{second.prefect}/api"}), get_client(sync_client=True) as prefect:
            deadline = time.monotonic() + 60
            while (state := prefect.read_flow_run(left).state) is None or not state.is_failed():
                assert time.monotonic() < deadline, state
                time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
