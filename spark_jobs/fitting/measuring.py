"""What a fit takes of this machine: its own process, the driver's Java and the workers that it has started."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

EVERY_SECONDS = 0.1


@dataclass
class Taken:
    """Seconds, processor-seconds, and the most memory beside what was in use when it began, in bytes."""

    seconds: float = 0.0
    processor_seconds: float = 0.0
    peak_memory_bytes: int = 0


@contextmanager
def measured() -> Iterator[Taken]:
    """Measure what is done inside; executors on other machines are not seen."""
    taken, ended = Taken(), threading.Event()
    seconds, memory, started = _processor(), _memory(), time.perf_counter()

    def watch() -> None:
        while not ended.wait(EVERY_SECONDS):
            taken.peak_memory_bytes = max(taken.peak_memory_bytes, _memory() - memory)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield taken
    finally:
        ended.set()
        watcher.join()
        taken.seconds = time.perf_counter() - started
        taken.peak_memory_bytes = max(taken.peak_memory_bytes, _memory() - memory, 0)
        taken.processor_seconds = max(_processor() - seconds, 0.0)


def _every() -> list[psutil.Process]:
    own = psutil.Process()
    return [own, *own.children(recursive=True)]


def _processor() -> float:
    total = 0.0
    for process in _every():
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def _memory() -> int:
    total = 0
    for process in _every():
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total
