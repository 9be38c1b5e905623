"""A run here and now: the same flow as on a server, with a terminal to show it and its noise in a log file."""

import atexit
import logging
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console

from conf.schema import Settings
from flows.display import Terminal, display
from flows.errors import TerminatedError
from flows.leaderboard import print_outcome
from flows.outcome import Outcome
from flows.reach import check_reachable, is_server
from flows.server import local_store, prefect_api, running, variables
from flows.summary import Summary
from flows.table import show


def run_here(experiment: str, settings: Settings, overrides: Sequence[str], output: Console) -> Summary:
    """Run the pipeline in this process, show its progress on standard error, and its table on `output`.

    Raises:
        FranklinError: a mistake that a person can mend.

    """

    def run() -> Any:
        from flows.pipeline import pipeline

        return partial(pipeline, experiment, settings.strategy.name, settings.tuner.name, list(overrides))

    summary = Summary.model_validate(_answer(settings, run))
    show(summary, output, mlflow_of(settings))
    return summary


def select_here(experiment: str, settings: Settings, overrides: Sequence[str], output: Console) -> Outcome:
    """Hold a contest in this process, in the same way; its leaderboard goes to `output`.

    Raises:
        FranklinError: a mistake that a person can mend.

    """

    def run() -> Any:
        from flows.selecting import select

        return partial(select, experiment, overrides=list(overrides))

    found = Outcome.model_validate(_answer(settings, run))
    print_outcome(found, output, mlflow_of(settings))
    return found


def _answer(settings: Settings, prepared: Callable[[], Callable[[], Any]]) -> Any:
    """What a flow answers that runs in this process; `prepared` imports it, once Prefect can be imported."""
    if api := os.environ.get("PREFECT_API_URL"):
        check_reachable(api, "Prefect", "unset PREFECT_API_URL to have one for this run")
    settings.home.mkdir(parents=True, exist_ok=True)
    os.environ.update(variables(settings.home))
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
        signal.signal(signal.SIGHUP, _hang_up)
    signal.signal(signal.SIGTERM, _terminate)  # to which Prefect hands a SIGTERM on when its flow has ended
    terminal = Terminal(Console(stderr=True))
    display.set(terminal)
    servers = ExitStack()
    atexit.register(servers.close)  # before Prefect is imported, so after what it still tells the server when all ends
    with terminal.shown():
        terminal.start("start")
        os.environ["PREFECT_API_URL"] = servers.enter_context(prefect_api(settings.home))
        # Prefect reads its settings when it is imported.
        from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

        run = prepared()
        log_to(settings.home / "franklin.log")
        # Heartbeats tell a server that a far-away flow has died, and their thread takes a second to end.
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            return run()


def mlflow_of(settings: Settings) -> str | None:
    """Address of a server to look at; a database has none, and may have a password in its own."""
    uri = settings.tracking.uri
    if uri is None or uri == local_store(settings.home):
        return running(settings.home).get("mlflow")
    return uri if is_server(uri) else None


def log_to(file: Path) -> None:
    """Send what the libraries of this process log, Prefect's console included, to a file."""
    handler = logging.FileHandler(file, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.captureWarnings(capture=True)
    loggers = [logging.getLogger(name) for name in logging.root.manager.loggerDict]
    for logger in [logging.root, *loggers]:
        on_console = [each for each in logger.handlers if _writes_to_console(each)]
        for old in on_console:
            logger.removeHandler(old)
        if on_console or logger is logging.root:
            logger.addHandler(handler)


def _terminate(number: int, _: object) -> NoReturn:
    """End this process in good order."""
    raise TerminatedError(128 + number)


def _hang_up(*_: object) -> None:
    """Cancel the run when its terminal is closed; what it says while it ends has nowhere to go."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    signal.raise_signal(signal.SIGTERM)


def _writes_to_console(handler: logging.Handler) -> bool:
    return isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler)
