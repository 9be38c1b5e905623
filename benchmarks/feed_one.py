"""One measurement of `benchmarks.feed`, in a process of its own that may run another interpreter than franklin's.

python -m benchmarks.feed_one WAY FOLDER BATCH ORDER SECONDS
"""

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any, Self

from benchmarks.feed_peers import PEERS, Way

COLD, CACHED, SHUFFLED = ORDERS = ("in order, cold", "in order, cached", "shuffled")
SECONDS_BETWEEN = 0.02
NOT_HERE = 3  # exit status: this interpreter lacks the peer's package


def rows_of(batch: Any) -> int:
    """Rows of a batch of any kind; what makes no batches says their number."""
    if isinstance(batch, int):
        return batch
    if isinstance(batch, dict):
        return len(next(iter(batch.values())))
    return len(getattr(batch, "label", batch))


def forget(folder: Path) -> None:
    """Drop files from the system's cache."""
    os.sync()  # what has not reached the disk can't be dropped
    for path in filter(Path.is_file, folder.rglob("*")):
        file = os.open(path, os.O_RDONLY)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)


def recall(folder: Path) -> None:
    """Bring files into the system's cache."""
    room = bytearray(2**20)
    for path in filter(Path.is_file, folder.rglob("*")):
        with path.open("rb", buffering=0) as file:
            while file.readinto(room):
                pass


class Meter:
    """The most anonymous memory of this process while it is held; what it maps of files is not counted."""

    def __enter__(self) -> Self:
        """Begin to look."""
        self._before = self._most = _anonymous()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End looking."""
        self._ended.set()
        self._thread.join()

    @property
    def added(self) -> int:
        """Bytes beyond those that there were at first."""
        return self._most - self._before

    def _watch(self) -> None:
        while not self._ended.wait(SECONDS_BETWEEN):
            self._most = max(self._most, _anonymous())


def _anonymous() -> int:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("RssAnon:")[1].split()[0]) * 1024


def find(way: str) -> Way:
    """Find a way by its name; only franklin's own and the floors need franklin's packages."""
    if way in PEERS:
        return PEERS[way]
    from benchmarks.feed_ways import WAYS

    return WAYS[way]


def measure(way: str, folder: Path, batch_rows: int, order: str, limit: float) -> dict[str, float]:
    """Read with one way: rows, seconds and bytes of memory that reading took; imports are not counted."""
    try:
        batches = find(way)(folder, batch_rows, order == SHUFFLED)
    except ModuleNotFoundError as error:
        if way in PEERS and error.name and not error.name.startswith("benchmarks"):
            sys.exit(NOT_HERE)
        raise
    if order == COLD:
        forget(folder)
    else:
        recall(folder)
    rows = 0
    with Meter() as meter:
        started = time.perf_counter()
        for batch in batches:
            rows += rows_of(batch)
            if time.perf_counter() - started > limit:
                break
        seconds = time.perf_counter() - started
    batches.close()
    return {"rows": rows, "seconds": seconds, "added_bytes": meter.added}


if __name__ == "__main__":
    way, folder, batch_rows, order, limit = sys.argv[1:]
    print(json.dumps(measure(way, Path(folder), int(batch_rows), order, float(limit))))
