"""A control group of the kernel, which holds all processes of a stage inside so much memory."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from uuid import uuid4

import psutil

ROOT = Path("/sys/fs/cgroup")
SECONDS_BETWEEN = 0.2
SECONDS_TO_END = 60
ENTER = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
# Of version 1 of the kernel's interface and of version 2: the limit, that of swap, the most that was in use, and what
# of it is not of files. Version 1 counts swap together with memory.
OLD = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.max_usage_in_bytes", "total_rss")
NEW = ("memory.max", "memory.swap.max", "memory.peak", "anon")


@dataclass
class Used:
    """The most memory that a group had, in bytes.

    Attributes:
        anonymous: of processes and not of files, looked at now and then.
        peak: with what the system's cache had of files for them, as the kernel counts it; None: it does not.

    """

    anonymous: int = 0
    peak: int | None = None


class Group:
    """A control group with a limit of memory, and without swap."""

    def __init__(self, limit_bytes: int) -> None:
        """Make it.

        Raises:
            RuntimeError: its processes could be swapped out, and so have more than the limit.

        """
        old = (ROOT / "memory").is_dir()
        limit, swap, self._peak, self._anonymous = OLD if old else NEW
        self.folder = (ROOT / "memory" if old else ROOT) / f"franklin-{uuid4().hex[:8]}"
        self.folder.mkdir()
        (self.folder / limit).write_text(str(limit_bytes), encoding="ascii")
        if (self.folder / swap).exists():
            (self.folder / swap).write_text(str(limit_bytes if old else 0), encoding="ascii")
        elif psutil.swap_memory().total:
            self.folder.rmdir()
            raise RuntimeError("the kernel does not limit swap here, and there is some: turn it off (swapoff)")

    def enter(self, command: list[str]) -> list[str]:
        """A command that runs in the group."""
        return ["sh", "-c", ENTER, str(self.folder), *command]

    def anonymous(self) -> int:
        """Bytes of memory that processes of the group have now and that are not of files."""
        lines = (self.folder / "memory.stat").read_text(encoding="ascii").splitlines()
        return int(next(line.split()[1] for line in lines if line.split()[0] == self._anonymous))

    def peak(self) -> int | None:
        """The most bytes of memory, of files or not, that the kernel has counted; None: it does not count."""
        file = self.folder / self._peak
        return int(file.read_text(encoding="ascii")) if file.exists() else None

    def close(self) -> None:
        """Wait for the last of its processes, and remove it.

        Raises:
            RuntimeError: one does not end.

        """
        deadline = time.monotonic() + SECONDS_TO_END
        while left := (self.folder / "cgroup.procs").read_text(encoding="ascii").split():
            if time.monotonic() > deadline:
                raise RuntimeError(f"processes {', '.join(left)} do not end; end them and remove {self.folder}")
            time.sleep(SECONDS_BETWEEN)
        self.folder.rmdir()


@contextmanager
def limited(limit_bytes: int) -> Iterator[tuple[Group, Used]]:
    """Open a group, and watch it; what it has used stands there at the end.

    Raises:
        RuntimeError: swap can't be limited, or a process does not end.
        OSError: the group could not be watched to the end.

    """
    group, used, ended = Group(limit_bytes), Used(), Event()

    def watch() -> None:
        while not ended.wait(SECONDS_BETWEEN):
            used.anonymous = max(used.anonymous, group.anonymous())

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            yield group, used
        finally:
            ended.set()
            try:
                watching.result()  # a watcher that died saw no peak
                used.peak = group.peak()
            finally:
                group.close()
