"""Who works on a run folder, so that the MLflow runs of a flow that was killed outright can still be closed."""

import os
import socket
from pathlib import Path

import psutil

from conf.exchange import Track
from conf.strict import Strict

CLOCK_SECONDS = 2.0  # by which the start of a process may seem to move


class Owner(Strict):
    """The MLflow run of a run folder, the process that writes into it, and whether that has closed it."""

    track: Track
    host: str
    pid: int
    started: float
    closed: bool

    @property
    def died(self) -> bool:
        """Whether the process ended without closing its run; of another machine's nothing is known."""
        here = self.host == socket.gethostname()
        return here and not self.closed and not is_alive(self.pid, self.started)


def take(folder: Path, track: Track, *, closed: bool) -> None:
    """Write down that this process owns a run folder, or that it has closed its run."""
    started = psutil.Process().create_time()
    mine = Owner(track=track, host=socket.gethostname(), pid=os.getpid(), started=started, closed=closed)
    temporary = folder / f"owner.{os.getpid()}"
    temporary.write_text(mine.model_dump_json(), encoding="utf-8")
    temporary.replace(folder / "owner.json")


def owner(folder: Path) -> Owner | None:
    """The last owner of a run folder, if there has been one."""
    try:
        return Owner.model_validate_json((folder / "owner.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None


def is_alive(pid: int, started: float) -> bool:
    """Whether the process `pid` that began at `started` (seconds since the epoch) is still at work."""
    try:
        process = psutil.Process(pid)
        ended = process.status() == psutil.STATUS_ZOMBIE  # and nobody has asked how
        return not ended and abs(process.create_time() - started) < CLOCK_SECONDS
    except psutil.NoSuchProcess:
        return False
