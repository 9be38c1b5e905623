"""`franklin up`: the Prefect server, the MLflow UI and a worker on this machine."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from urllib.error import URLError

import psutil

from conf.errors import FranklinError
from flows.local import UP_FILE, environment
from flows.processes import abandon, supervised

HOST = "127.0.0.1"
POOL = "franklin"
START_SECONDS = 120.0
CHECK_SECONDS = 1.0
ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Servers:
    """The addresses of what runs, and its processes by name."""

    prefect: str
    mlflow: str
    processes: "dict[str, subprocess.Popen[str]]"

    def wait(self, ended: Event) -> None:
        """Return once `ended` is set.

        Raises:
            FranklinError: one of the processes ended by itself.

        """
        while not ended.wait(CHECK_SECONDS):
            for name, process in self.processes.items():
                if process.poll() is not None:
                    raise FranklinError(f"the {name} ended by itself; the others were ended too; see its log")


@contextmanager
def servers(home: Path, prefect_port: int, mlflow_port: int, say: Callable[[str], None]) -> Iterator[Servers]:
    """Start everything, register the deployments, and end all of it on leaving.

    Raises:
        FranklinError: a port is taken, or a server does not come up.

    """
    for option, port in (("--prefect-port", prefect_port), ("--mlflow-port", mlflow_port)):
        _check_free(option, port)
    prefect, mlflow = f"http://{HOST}:{prefect_port}", f"http://{HOST}:{mlflow_port}"
    variables = {
        **environment(home),
        "PREFECT_API_URL": f"{prefect}/api",
        "PREFECT_UI_API_URL": f"{prefect}/api",
        "FRANKLIN_HOME": str(home),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # its consumers take a gigabyte for what franklin does not use
    }
    logs = home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        processes: dict[str, subprocess.Popen[str]] = {}

        def start(name: str, *arguments: str) -> "subprocess.Popen[str]":
            log = stack.enter_context((logs / f"{name}.log").open("a", encoding="utf-8"))
            command = [sys.executable, "-m", *arguments]
            processes[name] = stack.enter_context(supervised(command, log, variables, output=log))
            return processes[name]

        say("starting the Prefect server and the MLflow UI ...")
        server = start("prefect-server", "prefect", "server", "start", "--host", HOST, "--port", str(prefect_port))
        store = f"sqlite:///{home / 'mlflow.db'}"
        ui = start(
            "mlflow", "mlflow", "server", "--host", HOST, "--port", str(mlflow_port), "--workers", "1",
            "--backend-store-uri", store, "--default-artifact-root", (home / "mlartifacts").as_uri(),
        )  # fmt: skip
        _wait(f"{prefect}/api/health", server, logs / "prefect-server.log")
        _wait(f"{mlflow}/health", ui, logs / "mlflow.log")
        say("registering the deployments ...")
        register(variables)
        start("worker", "prefect", "worker", "start", "--pool", POOL, "--name", "franklin-up")
        up_file = home / UP_FILE
        myself = {"pid": os.getpid(), "started": psutil.Process().create_time()}
        up_file.write_text(json.dumps({**myself, "prefect": f"{prefect}/api", "mlflow": mlflow}), encoding="utf-8")
        stack.callback(up_file.unlink, missing_ok=True)
        yield Servers(prefect, mlflow, processes)
        say("ending the servers ...")
        for process in processes.values():
            abandon(process)


def register(variables: dict[str, str]) -> None:
    """Create the work pool and register every deployment of prefect.yaml.

    Raises:
        FranklinError: Prefect refused; its own last line is shown.

    """
    for arguments in (
        ["work-pool", "create", POOL, "--type", "process", "--overwrite"],
        ["--no-prompt", "deploy", "--all"],
    ):
        command = [sys.executable, "-m", "prefect", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, check=False
        )
        if done.returncode:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise FranklinError(f"`prefect {' '.join(arguments)}` failed: {' '.join(last)}")


def _check_free(option: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise FranklinError(f"port {port} is taken ({error.strerror}): choose another with {option}") from None


def _wait(url: str, server: "subprocess.Popen[str]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own address
                return
        except (URLError, OSError):
            time.sleep(0.2)
    raise FranklinError(f"{url} does not answer; its log: {log}")
