"""`franklin up`: the Prefect server, the MLflow UI and a worker on this machine."""

import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from conf.errors import FranklinError
from flows.processes import Process, supervised
from flows.server import HOST, announce, local_store, prefect_server, running, variables, wait

POOL = "franklin"
CHECK_SECONDS = 1.0
AT_ONCE = "1"  # flow runs: each takes every core of the machine
GRACE_SECONDS = 20.0  # a flow run ends its engines first, then tells MLflow
ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Servers:
    """The addresses of what runs, and its processes by name."""

    prefect: str
    mlflow: str
    processes: dict[str, Process]

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
        FranklinError: they run already, a port is taken, or a server does not come up.

    """
    if already := running(home):
        raise FranklinError(f"`franklin up` runs already: Prefect {already['prefect']}, MLflow {already['mlflow']}")
    for option, port in (("--prefect-port", prefect_port), ("--mlflow-port", mlflow_port)):
        _check_free(option, port)
    prefect, mlflow = f"http://{HOST}:{prefect_port}", f"http://{HOST}:{mlflow_port}"
    store = local_store(home)
    environment = {
        **variables(home),
        "PREFECT_API_URL": f"{prefect}/api",
        "PREFECT_UI_API_URL": f"{prefect}/api",
        "FRANKLIN_HOME": str(home),
        "MLFLOW_TRACKING_URI": store,  # the runs go where the UI beside them looks
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # its consumers take a gigabyte for what franklin does not use
    }
    logs = home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        processes: dict[str, Process] = {}

        def start(name: str, *arguments: str) -> Process:
            log = stack.enter_context((logs / f"{name}.log").open("a", encoding="utf-8"))
            command = [sys.executable, "-m", *arguments]
            processes[name] = stack.enter_context(supervised(command, log, environment, log, GRACE_SECONDS))
            return processes[name]

        say("starting the Prefect server and the MLflow UI ...")
        server = stack.enter_context(prefect_server(home, prefect_port, environment))
        processes["prefect-server"] = server
        ui = start(
            "mlflow", "mlflow", "server", "--host", HOST, "--port", str(mlflow_port), "--workers", "1",
            "--backend-store-uri", store, "--default-artifact-root", (home / "mlartifacts").as_uri(),
        )  # fmt: skip
        wait(f"{prefect}/api/health", server, logs / "prefect-server.log")
        wait(f"{mlflow}/health", ui, logs / "mlflow.log")
        say("registering the deployments ...")
        register(environment, logs / "deploy.log")
        stack.callback(announce(home, f"{prefect}/api", mlflow).unlink, missing_ok=True)
        # The worker goes first when all ends, so that its flow runs can still tell the servers.
        start("worker", "prefect", "worker", "start", "--pool", POOL, "--name", "franklin-up", "--limit", AT_ONCE)
        say(f"what runs say, and why one failed, is in {logs / 'worker.log'}")
        yield Servers(prefect, mlflow, processes)
        say("ending the servers ...")


def register(environment: Mapping[str, str], log_file: Path) -> None:
    """Create the work pool, register every deployment of prefect.yaml, and take up what an earlier worker left.

    Raises:
        FranklinError: Prefect refused.

    """
    for arguments in (
        ["prefect", "work-pool", "create", POOL, "--type", "process", "--overwrite"],
        ["prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(ROOT / "prefect.yaml")],
        ["flows.give_back", POOL],
    ):
        command = [sys.executable, "-m", *arguments]
        with log_file.open("a", encoding="utf-8") as log, supervised(command, log, environment, output=log) as process:
            if process.wait():
                raise FranklinError(f"`{' '.join(arguments)}` failed; its log: {log_file}")


def _check_free(option: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise FranklinError(f"port {port} is taken ({error.strerror}): choose another with {option}") from None
