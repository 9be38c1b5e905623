"""Runs services as processes of this machine until they are healthy, and ends them without a trace."""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.docker.compose import Service

ROOT = Path(__file__).parents[2]
HEALTHY_SECONDS = 90
END_SECONDS = 20


@dataclass(frozen=True)
class Running:
    """A service and the process that runs its command."""

    service: Service
    process: psutil.Popen


class Processes:
    """Services that run, with their logs in `folder`."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        """Give every service `environment`, as an image would, below its own."""
        self._folder = folder
        self._environment = environment
        self._running: list[Running] = []

    def start(self, service: Service) -> None:
        """Start a service's command, as its own user if we are root, and wait until its health check succeeds.

        Raises:
            RuntimeError: it ended, or is not healthy after `HEALTHY_SECONDS`; the end of its log is in the message.

        """
        log = self._folder / f"{service.name}.log"
        with log.open("wb") as output:
            process = psutil.Popen(
                service.command,
                cwd=ROOT,
                env=self._environment | service.environment,
                user=owner(service),
                group=owner(service),
                extra_groups=[] if owner(service) else None,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running.append(Running(service, process))
        deadline = time.monotonic() + HEALTHY_SECONDS
        while not self._healthy(service):
            if process.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(encoding="utf-8", errors="replace")[-3000:]
                raise RuntimeError(f"{service.name} is not healthy (exit status {process.returncode}):\n{said}")
            time.sleep(0.5)

    def _healthy(self, service: Service) -> bool:
        environment = self._environment | service.environment
        done = subprocess.run(service.check, cwd=ROOT, env=environment, capture_output=True, check=False, timeout=30)
        return done.returncode == 0

    def end(self) -> list[str]:
        """End every service, the last started first; return those that had to be killed, and what they left alive."""
        return [name for running in reversed(self._running) for name in _end(running)]


def owner(service: Service) -> str | None:
    """Name the user that the service's processes run as, or None for our own: only root has a choice."""
    return service.user if os.geteuid() == 0 else None


def make_folders(service: Service) -> None:
    """Make the folders of a service's volumes, owned by its user."""
    user = owner(service)
    for target, source in service.mounts.items():
        if source is None or "/" not in source:
            Path(target).mkdir(exist_ok=True)
            if user:
                shutil.chown(target, user, user)


def _end(running: Running) -> list[str]:
    if running.process.poll() is not None:
        return [f"{running.service.name} (had ended with {running.process.returncode})"]
    processes = [*running.process.children(recursive=True), running.process]
    running.process.send_signal(signal.Signals[running.service.stop_signal])
    alive = psutil.wait_procs(processes, timeout=END_SECONDS)[1]
    names = [f"{running.service.name}: {process}" for process in alive]
    for process in alive:
        process.kill()
    psutil.wait_procs(alive, timeout=END_SECONDS)
    return names
