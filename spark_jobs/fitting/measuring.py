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
    """Measure what is done inside; neither executors on other machines nor what lives between two looks is seen."""
    taken, ended = Taken(), threading.Event()
    before, memory, started = _processors(), _memory(), time.perf_counter()
    # A sum of those there are would fall when one ends: each counts as it was last seen.
    seen = dict(before)

    def look() -> None:
        seen.update(_processors())
        taken.peak_memory_bytes = max(taken.peak_memory_bytes, _memory() - memory)

    def watch() -> None:
        while not ended.wait(EVERY_SECONDS):
            look()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield taken
    finally:
        ended.set()
        watcher.join()
        taken.seconds = time.perf_counter() - started
        look()
        taken.processor_seconds = sum(seconds - before.get(each, 0.0) for each, seconds in seen.items())


def _every() -> list[psutil.Process]:
    own = psutil.Process()
    return [own, *own.children(recursive=True)]


def _processors() -> dict[psutil.Process, float]:
    """Processor-seconds of each process so far."""
    found = {}
    for process in _every():
        try:
            times = process.cpu_times()
            found[process] = times.user + times.system
        except psutil.NoSuchProcess:
            continue
    return found


def _memory() -> int:
    total = 0
    for process in _every():
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total
