"""The one module that starts other processes: engines, and the servers of `franklin up`."""

import json
import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

from conf.errors import FranklinError
from conf.exchange import PROGRESS_MARK, Request, answered
from conf.strict import Strict
from flows.supervise import USAGE_MARK

R = TypeVar("R", bound=Strict)
TAIL_LINES = 12
ENGINE_GRACE_SECONDS = 8.0  # in which ranks leave a checkpoint
Process = subprocess.Popen[str]


class Progress(Strict):
    """How far an engine is, in whole `unit`s."""

    done: int
    total: int
    unit: str
    note: str = ""


class EngineCrashError(Exception):
    """An engine ended without an answer: a defect or a fault from outside, not a mistake in the request."""


class EngineTimeoutError(FranklinError):
    """An engine took longer than it may."""


class Cost:
    """What engines took, added up, wall-clock and processor seconds; the peak memory is the largest of theirs."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.seconds = 0.0
        self.processor_seconds = 0.0
        self.peak_memory_bytes = 0

    def add(self, seconds: float, processor_seconds: float, peak_memory_bytes: int) -> None:
        """Count an engine in, however it ended."""
        self.seconds += seconds
        self.processor_seconds += processor_seconds
        self.peak_memory_bytes = max(self.peak_memory_bytes, peak_memory_bytes)


def run_engine(
    command: Sequence[str],
    request: Request,
    result: type[R],
    *,
    watch: Callable[[Progress], None],
    cost: Cost,
    timeout_seconds: float,
) -> R:
    """Run an engine in processes of its own, hand over its request, and read its answer.

    The request is written beside its answer, as is the log, which gets all that the engine prints. Whatever ends this
    call, an exception or a signal included, nothing that the engine started is left alive and `cost` has counted it.

    Raises:
        FranklinError: the engine's own, for a person.
        EngineTimeoutError: it took longer than `timeout_seconds`.
        EngineCrashError: it gave no answer.

    """
    folder, stem = request.answer.parent, request.answer.stem
    folder.mkdir(parents=True, exist_ok=True)
    request.answer.unlink(missing_ok=True)
    request_file, log_file = folder / f"{stem}.request.json", folder / f"{stem}.log"
    request_file.write_text(request.model_dump_json(indent=2), encoding="utf-8")
    usage: dict[str, Any] = {"exit": "unknown", "processor_seconds": 0.0, "peak_memory_bytes": 0}
    started = time.monotonic()
    with log_file.open("a", encoding="utf-8") as log, supervised([*command, str(request_file)], log) as engine:
        alarm = threading.Timer(timeout_seconds, abandon, [engine])
        alarm.start()
        try:
            usage |= _follow(engine.stdout or (), log, watch)
            overdue = alarm.finished.is_set()
        finally:
            alarm.cancel()
            cost.add(time.monotonic() - started, usage["processor_seconds"], usage["peak_memory_bytes"])
    if overdue:
        raise EngineTimeoutError(f"{stem} took longer than {timeout_seconds} seconds and was ended; log: {log_file}")
    answer = answered(request.answer)
    if "error" in answer:
        raise FranklinError(answer["error"])
    if "result" not in answer:
        raise EngineCrashError(f"{stem} ended with exit status {usage['exit']}; log: {log_file}\n{_tail(log_file)}")
    return result.model_validate(answer["result"])


@contextmanager
def supervised(
    command: Sequence[str],
    log: IO[str],
    environment: Mapping[str, str] | None = None,
    output: int | IO[str] = subprocess.PIPE,
    grace_seconds: float = ENGINE_GRACE_SECONDS,
) -> Iterator[Process]:
    """Start a command under `flows.supervise`; on leaving, it and all that it started are gone.

    Whatever has not ended by itself `grace_seconds` after it was asked to is killed.

    Closing the standard input of the process that is given ends it earlier.
    """
    log.write(f"$ {shlex.join(command)}\n")
    log.flush()
    guard = subprocess.Popen(
        [sys.executable, "-m", "flows.supervise", str(grace_seconds), *command],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=log,
        text=True,
        errors="replace",
        start_new_session=True,
        env={**os.environ, "FRANKLIN_PROGRESS": "1", **(environment or {})},
    )
    with guard:
        try:
            yield guard
        finally:
            abandon(guard)
            guard.wait()  # Popen's own exit does not, after Ctrl-C


def abandon(guard: Process) -> None:
    """Let go of a guarded process, which ends it and all below it."""
    if guard.stdin is not None:
        guard.stdin.close()


def _follow(output: Iterable[str], log: IO[str], watch: Callable[[Progress], None]) -> dict[str, Any]:
    """Pass progress on and the rest to the log until the engine ends; what it cost."""
    usage: dict[str, Any] = {}
    for line in output:
        if line.startswith(PROGRESS_MARK):
            watch(Progress.model_validate_json(line.removeprefix(PROGRESS_MARK)))
        elif line.startswith(USAGE_MARK):
            usage = json.loads(line.removeprefix(USAGE_MARK))
        else:
            log.write(line)
    return usage


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:])
