"""Prefect's server, in a process that ends with whoever asked for it."""

import fcntl
import json
import os
import socket
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

from conf.errors import FranklinError
from flows.owners import is_alive
from flows.processes import Process, supervised

HOST = "127.0.0.1"
START_SECONDS = 120.0
UP_FILE = "up.json"


def variables(home: Path) -> dict[str, str]:
    """What has to be set before Prefect and MLflow are imported; where a person has set it already, that stays.

    Prefect keeps its state in franklin's home; neither tells its makers anything, nor prints where nobody asked.
    """
    wanted = {
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # standard output is for results
    }
    return wanted | {name: os.environ[name] for name in wanted if name in os.environ}


@contextmanager
def prefect_api(home: Path) -> Iterator[str]:
    """The API to run against: the one that is named, that of a running `franklin up`, or one for the time being."""
    known = os.environ.get("PREFECT_API_URL") or running(home).get("prefect")
    if known:
        yield known
        return
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    environment = variables(home) | {"PREFECT_UI_ENABLED": "false"}
    with ExitStack() as stack:
        with (home / "prefect.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two servers that make one database at once damage it
            server = stack.enter_context(prefect_server(home, port, environment, "--no-services"))
            wait(f"http://{HOST}:{port}/api/health", server, home / "logs" / "prefect-server.log")
        yield f"http://{HOST}:{port}/api"


@contextmanager
def prefect_server(home: Path, port: int, environment: Mapping[str, str], *options: str) -> Iterator[Process]:
    """Start a Prefect server; it may take some seconds to answer."""
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", HOST, "--port", str(port), *options]
    (home / "logs").mkdir(parents=True, exist_ok=True)
    log_file = home / "logs" / "prefect-server.log"
    with log_file.open("a", encoding="utf-8") as log, supervised(command, log, environment, output=log) as server:
        yield server


def wait(url: str, server: Process, log: Path) -> None:
    """Return once `url` answers.

    Raises:
        FranklinError: the server ended, or it takes too long.

    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own address
                return
        except OSError:
            time.sleep(0.1)
    raise FranklinError(f"{url} does not answer; its log: {log}")


def local_store(home: Path) -> str:
    """Where MLflow keeps runs if nobody says otherwise."""
    return f"sqlite:///{home / 'mlflow.db'}"


def announce(home: Path, prefect: str, mlflow: str) -> Path:
    """Write down where this process's servers listen; the file is to be removed with them."""
    content = {"pid": os.getpid(), "started": psutil.Process().create_time(), "prefect": prefect, "mlflow": mlflow}
    file = home / UP_FILE
    temporary = file.with_suffix(f".{os.getpid()}")
    temporary.write_text(json.dumps(content), encoding="utf-8")
    return temporary.replace(file)


def running(home: Path) -> dict[str, str]:
    """Addresses of a running `franklin up`, `prefect` and `mlflow`; empty if none runs."""
    try:
        up = json.loads((home / UP_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {name: up[name] for name in ("prefect", "mlflow")} if is_alive(up["pid"], up["started"]) else {}
