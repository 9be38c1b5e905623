"""Cancelling from the Prefect UI a run that no worker watches over: `franklin run` beside a server that stays."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any
from uuid import UUID

from prefect import Flow, State
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelled

POLL_SECONDS = 2.0
_asked = Event()


@contextmanager
def cancellable(flow_run_id: UUID) -> Iterator[None]:
    """While the block runs, end this process as SIGTERM does once somebody asks to cancel the flow run."""
    done = Event()

    def watch() -> None:
        with get_client(sync_client=True) as prefect:
            while not done.wait(POLL_SECONDS):
                state = prefect.read_flow_run(flow_run_id).state
                if state is not None and state.is_cancelling():
                    _asked.set()
                    os.kill(os.getpid(), signal.SIGTERM)
                    return

    Thread(target=watch, name="cancellation", daemon=True).start()
    try:
        yield
    finally:
        done.set()


def say_cancelled(flow: Flow[..., Any], flow_run: FlowRun, state: State) -> None:  # noqa: ARG001 -- Prefect's names
    """Call a flow run cancelled that Prefect would call crashed, if it was asked to be."""
    if _asked.is_set():
        with get_client(sync_client=True) as prefect:
            prefect.set_flow_run_state(flow_run.id, Cancelled(), force=True)
