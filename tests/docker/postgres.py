"""What the entry point of PostgreSQL's image does around the service's command."""

import shutil
import subprocess
from pathlib import Path

from tests.docker.compose import Service
from tests.docker.processes import ROOT, owner

SCRIPTS = "/docker-entrypoint-initdb.d/"


def binaries() -> str | None:
    """Find the folder of PostgreSQL's newest server where Debian has it (not on PATH)."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    return str(found[-1].parent) if found else None


def make_cluster(service: Service, path: str) -> None:
    """Make the empty database cluster, with the superuser and password of the service's environment."""
    settings, user = service.environment, owner(service)
    password = Path(f"{settings['PGDATA']}.password")
    password.write_text(settings["POSTGRES_PASSWORD"], encoding="utf-8")
    if user:
        shutil.chown(password, user)
    subprocess.run(
        [
            "initdb",
            f"--pgdata={settings['PGDATA']}",
            f"--username={settings['POSTGRES_USER']}",
            f"--pwfile={password}",
            "--no-sync",
            *settings["POSTGRES_INITDB_ARGS"].split(),
        ],
        env={"PATH": path, "LANG": "C.UTF-8"},
        user=user,
        group=user,
        check=True,
        capture_output=True,
    )
    password.unlink()
    # The image lets in the other containers, with a password.
    with (Path(settings["PGDATA"]) / "pg_hba.conf").open("a", encoding="utf-8") as rules:
        rules.write("host all all all scram-sha-256\n")


def run_scripts(service: Service, path: str, address: str) -> None:
    """Run the scripts that are mounted for the first start."""
    settings = service.environment
    for target, source in service.mounts.items():
        if target.startswith(SCRIPTS) and source:
            subprocess.run(
                ["psql", f"--host={address}", f"--username={settings['POSTGRES_USER']}", "--dbname=postgres",
                 "--no-psqlrc", "--set=ON_ERROR_STOP=1", f"--file={ROOT / 'docker' / source}"],
                env={"PATH": path, "PGPASSWORD": settings["POSTGRES_PASSWORD"]},
                check=True,
                capture_output=True,
            )  # fmt: skip
