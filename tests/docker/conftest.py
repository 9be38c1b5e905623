"""The servers of docker/compose.yaml, running as processes of this machine."""

import os
import random
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from spark_jobs.java import java_home
from tests.docker import compose, postgres
from tests.docker.processes import ROOT, Processes, make_folders

COMPOSE_FILE = ROOT / "docker" / "compose.yaml"
SECRETS = ("POSTGRES_PASSWORD", "S3_ACCESS_KEY", "S3_SECRET_KEY")


@dataclass(frozen=True)
class Services:
    """Where the servers answer, and the environment in which franklin finds them."""

    mlflow: str
    prefect: str
    store: str
    spark: str
    spark_ui: str
    s3_key: dict[str, str]
    environment: dict[str, str]


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    """Start every service with its own command, in order, each on a loopback address of its own.

    Ports stay those of the compose file, so only one session at a time may do this on a machine.
    """
    server = postgres.binaries()
    if sys.platform != "linux":
        pytest.skip("only Linux has a loopback address for each service")
    if server is None:
        pytest.skip("PostgreSQL's server is not installed: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="franklin-services-"))
    folder.chmod(0o711)  # PostgreSQL refuses root, and its user has to reach its folder
    path = os.pathsep.join([str(ROOT / ".venv" / "bin"), server, os.environ["PATH"]])
    home = folder / "home"
    home.mkdir()
    environment = {
        "PATH": path,
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "JAVA_HOME": str(java_home(folder / "java")),
        "OMP_NUM_THREADS": "1",
    }
    variables = {name: secrets.token_hex(16) for name in SECRETS}
    found = compose.services(COMPOSE_FILE, variables)
    prefix = f"127.{random.randint(1, 254)}.{random.randint(0, 254)}"  # noqa: S311  not a secret
    addresses = {service.name: f"{prefix}.{number}" for number, service in enumerate(found, start=1)}
    processes = Processes(folder, environment)
    with FileLock(Path(tempfile.gettempdir()) / "franklin-services.lock", timeout=300):
        try:
            for service in found:
                moved = compose.on_loopback(service, addresses, folder)
                make_folders(moved)
                if service.name == "postgres":
                    postgres.make_cluster(moved, path)
                processes.start(moved)
                if service.name == "postgres":
                    postgres.run_scripts(moved, path, addresses["postgres"])
            yield _services(addresses, variables, path)
        finally:
            left = processes.end()
            shutil.rmtree(folder)
    assert not left, f"these did not end when they were told to: {left}"


def _services(addresses: dict[str, str], variables: dict[str, str], path: str) -> Services:
    mlflow, prefect = f"http://{addresses['mlflow']}:5000", f"http://{addresses['prefect']}:4200/api"
    return Services(
        mlflow=mlflow,
        prefect=prefect,
        store=f"http://{addresses['store']}:8333",
        spark=f"spark://{addresses['spark-master']}:7077",
        spark_ui=f"http://{addresses['spark-master']}:8080",
        s3_key={
            "aws_access_key_id": variables["S3_ACCESS_KEY"],
            "aws_secret_access_key": variables["S3_SECRET_KEY"],
        },
        environment={"PATH": path, "MLFLOW_TRACKING_URI": mlflow, "PREFECT_API_URL": prefect},
    )
