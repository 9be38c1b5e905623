"""A PostgreSQL server of one's own, for as long as a test session."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.docker.postgres import binaries

PASSWORD = "of-nobody-else"  # noqa: S105  of this server alone
READY_SECONDS = 60


@dataclass(frozen=True)
class Postgres:
    """A running server, whose superuser `postgres` has PASSWORD."""

    binaries: str
    port: int

    @property
    def url(self) -> str:
        """Address for JDBC."""
        return f"jdbc:postgresql://127.0.0.1:{self.port}/postgres"

    def run(self, statements: str) -> None:
        """Run SQL."""
        command = [f"{self.binaries}/psql", "--host=127.0.0.1", f"--port={self.port}", "--username=postgres"]
        subprocess.run(
            [*command, "--no-psqlrc", "--set=ON_ERROR_STOP=1", f"--command={statements}"],
            env={"PGPASSWORD": PASSWORD},
            check=True,
            capture_output=True,
        )


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Start a server on a free port, and end it with all that it has stored."""
    server = binaries()
    assert server, "tests skip where it is not installed"
    folder = Path(tempfile.mkdtemp(prefix="franklin-postgres-"))
    user = "postgres" if os.getuid() == 0 else None  # it refuses root
    (folder / "password").write_text(PASSWORD)
    if user:
        for path in (folder, folder / "password"):
            shutil.chown(path, user)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    auth = ["--username=postgres", f"--pwfile={folder / 'password'}", "--auth=scram-sha-256", "--no-sync"]
    subprocess.run(
        [f"{server}/initdb", f"--pgdata={folder / 'data'}", *auth], user=user, check=True, capture_output=True
    )
    options = ["-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-k", str(folder)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [f"{server}/postgres", "-D", folder / "data", *options], user=user, stdout=log, stderr=log
        )
    try:
        _wait(server, port, folder)
        yield Postgres(server, port)
    finally:
        process.terminate()
        process.wait(READY_SECONDS)
        shutil.rmtree(folder)


def _wait(server: str, port: int, folder: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while subprocess.run(
        [f"{server}/pg_isready", "--quiet", "--host=127.0.0.1", f"--port={port}"], check=False
    ).returncode:
        assert time.monotonic() < deadline, (folder / "log").read_text()
        time.sleep(0.1)
