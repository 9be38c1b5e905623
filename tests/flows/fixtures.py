"""One home and one set of servers for all tests of the flow, and small real data."""

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import psutil
import pytest
from mlflow import MlflowClient
from sklearn.datasets import load_breast_cancer

from spark_jobs.sources.locate import flights_files
from tests.flows.command import FRANKLIN, variables_of

EVERY_NTH_FLIGHT = 25


@dataclass(frozen=True)
class Up:
    """A running `franklin up`."""

    home: Path
    prefect: str
    mlflow: str

    @property
    def client(self) -> MlflowClient:
        """A client of its MLflow store."""
        return MlflowClient(f"sqlite:///{self.home / 'mlflow.db'}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def taken_port() -> Iterator[int]:
    """A port that somebody listens to."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@contextmanager
def servers_up(home: Path, *ports: str) -> Iterator[tuple["subprocess.Popen[str]", Up]]:
    """`franklin up` in a home; killed on leaving if it still runs."""
    prefect, mlflow = ports or (str(free_port()), str(free_port()))
    environment = variables_of(home)
    command = [*FRANKLIN, "up", "--prefect-port", prefect, "--mlflow-port", mlflow]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        printed = [process.stdout.readline().split()[-1] for _ in range(2)]
        assert printed == [f"http://127.0.0.1:{port}" for port in (prefect, mlflow)]
        yield process, Up(home, *printed)
    finally:
        process.stdout.close()
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Servers and a worker as `franklin up` starts them."""
    with servers_up(tmp_path_factory.mktemp("up") / "home") as (process, servers):
        yield servers
        below = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert psutil.wait_procs(below, timeout=1)[1] == []


@pytest.fixture(scope="session")
def breast(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of one's own with its YAML: scikit-learn's breast cancer set, 569 rows."""
    folder = tmp_path_factory.mktemp("breast")
    data = load_breast_cancer(as_frame=True)
    frame = data.frame.assign(diagnosis=[data.target_names[code] for code in data.target]).drop(columns="target")
    frame.to_csv(folder / "breast.csv", index=False)
    (folder / "breast.yaml").write_text("path: breast.csv\nlabel: diagnosis\n")
    return folder / "breast.yaml"


@pytest.fixture(scope="session")
def few_flights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The five tables with every 25th flight only."""
    folder = tmp_path_factory.mktemp("flights")
    for name, file in flights_files(None).items():
        rows = pd.read_csv(file, dtype=str, keep_default_na=False)
        few = rows.iloc[::EVERY_NTH_FLIGHT] if name == "flights" else rows
        few.to_csv(folder / f"{name}.csv", index=False)
    return folder
