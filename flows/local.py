"""A run here and now: the same flow as on a server, with a terminal to show it and its noise in a log file."""

import json
import logging
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import psutil
from rich.console import Console

from conf.schema import Settings
from flows.display import Terminal, display
from flows.summary import Summary
from flows.table import show
from flows.tracking import check_reachable

UP_FILE = "up.json"


def run_here(experiment: str, settings: Settings, overrides: Sequence[str]) -> Summary:
    """Run the pipeline in this process, show it on standard error, print its table to standard error's console.

    Raises:
        FranklinError: a mistake that a person can mend.

    """
    settings.home.mkdir(parents=True, exist_ok=True)
    os.environ.update(_running_servers(settings.home) | environment(settings.home))
    if "PREFECT_API_URL" in os.environ:
        check_reachable(os.environ["PREFECT_API_URL"], "Prefect", "unset PREFECT_API_URL to have one for this run")
    signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))  # a closed terminal cancels the run
    terminal = Terminal(Console(stderr=True))
    display.set(terminal)
    with terminal.shown():
        terminal.start("start")
        from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

        from flows.pipeline import pipeline

        log_to(settings.home / "franklin.log")
        # Heartbeats tell a server that a far-away flow has died, and their thread takes a second to end.
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            answer = pipeline(experiment, settings.strategy.name, settings.tuner.name, list(overrides))
    summary = Summary.model_validate(answer)
    show(summary, settings, terminal.console)
    return summary


def environment(home: Path) -> dict[str, str]:
    """What has to be set before Prefect is imported; where a person has set it already, that stays.

    Prefect keeps its state in franklin's home and starts a server if none is named; nothing is reported to its makers
    or MLflow's.
    """
    variables = {
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    return variables | {name: os.environ[name] for name in variables if name in os.environ}


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


def _writes_to_console(handler: logging.Handler) -> bool:
    return isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler)


def _running_servers(home: Path) -> dict[str, str]:
    """Where the Prefect server of a running `franklin up` listens, unless a person named another."""
    if "PREFECT_API_URL" in os.environ:
        return {}
    try:
        up = json.loads((home / UP_FILE).read_text(encoding="utf-8"))
        started = psutil.Process(up["pid"]).create_time()
    except (FileNotFoundError, psutil.NoSuchProcess):
        return {}
    return {"PREFECT_API_URL": up["prefect"]} if started == up["started"] else {}
