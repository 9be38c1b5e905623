"""Work in a process of its own, with limits, whose end is a result whatever it is.

Between the engine and the worker stands a guard, a second fork, that outlives both: it adopts what the worker has
started (`prctl(2)`, PR_SET_CHILD_SUBREAPER) and ends all of it when the worker ends, when time is up, or when the
engine is gone, however it went (PR_SET_PDEATHSIG). Linux alone has these.
"""

import ctypes
import gc
import json
import os
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import psutil
from threadpoolctl import threadpool_limits

from conf.errors import FranklinError

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
ENDING = (signal.SIGTERM, signal.SIGINT)
PIPE_BYTES = 65_536
KILL_SECONDS = 10.0
WHOLE = 3  # parts of what a worker says after its first line: its children's peak, its answer, and nothing
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # of libraries that are yet to be imported
OUTSIDE = "from outside"
OVERDUE = "it took longer than"  # how the reason of those begins whose time was up
TOO_MUCH, ABORTED = "it needs more memory than", "its process ended itself (SIGABRT)"  # and of those for memory
OUT_OF_MEMORY = ("bad_alloc", "t allocate memory", "unable to allocate", "out of memory", "bad allocation")


@dataclass(frozen=True)
class Limits:
    """What a worker may take: bytes beside what the engine has, wall-clock seconds, threads of the processor."""

    memory_bytes: int
    seconds: float
    threads: int = 1


@dataclass(frozen=True)
class Outcome:
    """What became of it.

    Attributes:
        value: that the work returned, as JSON keeps it; None if it failed.
        seconds: from fork to end.
        processor_seconds: of the worker and all that it started.
        peak_memory_bytes: most that its process, or one that it started, had at a time, beside what it was forked with.
        failure: one line.

    """

    value: Any
    seconds: float
    processor_seconds: float
    peak_memory_bytes: int
    failure: str | None


def apart(work: Callable[[], Any], limits: Limits) -> Outcome:
    """Do `work` in a forked process; when this returns or raises, that and all that it started is gone.

    Args:
        work: returns what JSON can say; arrays it writes to files.
        limits: of it.

    """
    return together([work], limits, 1)[0]


def too_large(failure: str) -> bool:
    """Whether time or memory was too short for what was done, so that less of it may do."""
    memory = any(words in failure.lower() for words in (*OUT_OF_MEMORY, "outofmemory", "java heap space"))
    return failure.startswith((OVERDUE, TOO_MUCH, ABORTED)) or memory


def together(
    works: Sequence[Callable[[], Any]],
    limits: Limits | Sequence[Limits],
    at_once: int,
    ended: Callable[[int, Outcome], None] | None = None,
) -> list[Outcome]:
    """Do each of `works` as `apart` does, at most `at_once` of them at a time.

    Args:
        works: as there.
        limits: of each, or those of all.
        at_once: at least 1.
        ended: is told the place of each that has ended, and its outcome.

    """
    each_has = [limits] * len(works) if isinstance(limits, Limits) else limits
    running: dict[int, tuple[int, _Running]] = {}  # by the pipe that each is heard on
    found: dict[int, Outcome] = {}
    try:
        while len(found) < len(works):
            while len(running) < at_once and len(running) + len(found) < len(works):
                place = len(running) + len(found)
                each = _Running(works[place], each_has[place])
                running[each.heard] = place, each
            for ready in select.select(list(running), [], [])[0]:
                place, each = running[ready]
                if each.ended():
                    del running[ready]
                    found[place] = each.outcome()
                    if ended:
                        ended(place, found[place])
    finally:
        for _, each in running.values():
            each.close()
    return [found[place] for place in range(len(works))]


class _Running:
    """A guard that was forked, and what it has said so far."""

    def __init__(self, work: Callable[[], Any], limits: Limits) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        self._started, self._said, engine = time.monotonic(), b"", os.getpid()
        self.heard, told = os.pipe()
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # until each knows what it is
        self._guard = os.fork()
        if self._guard == 0:
            os.close(self.heard)
            _guard(work, limits, engine, told)
        os.close(told)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)

    def ended(self) -> bool:
        """Listen once; whether that was the end."""
        part = os.read(self.heard, PIPE_BYTES)
        self._said += part
        return not part

    def outcome(self) -> Outcome:
        """Say what became of it, when it has ended."""
        self.close()
        seconds = time.monotonic() - self._started
        if not self._said:
            return Outcome(None, seconds, 0.0, 0, f"its guard was killed {OUTSIDE}")
        return Outcome(**json.loads(self._said), seconds=seconds)

    def close(self) -> None:
        """End it, if it has not ended."""
        os.close(self.heard)
        os.kill(self._guard, signal.SIGTERM)  # it is there until it is waited for
        os.waitpid(self._guard, 0)


def _guard(work: Callable[[], Any], limits: Limits, engine: int, told: int) -> NoReturn:
    """Start the worker, wait for it, leave nothing of it, and tell the engine."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, _leave)
        _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        _prctl(PR_SET_CHILD_SUBREAPER, 1)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        if os.getppid() == engine:  # else it died before it could be heard
            _write_all(told, json.dumps(_watched(work, limits, told)).encode())
    except SystemExit:
        pass
    except BaseException:  # noqa: BLE001 -- a fork must never return into the engine
        traceback.print_exc()
    finally:
        try:
            _end_descendants()
        finally:
            os._exit(0)


def _leave(*_: object) -> NoReturn:
    """End, once: a second word to do so, as a group and its engine give it, must not end the cleaning up."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit()


def _watched(work: Callable[[], Any], limits: Limits, told: int) -> dict[str, Any]:
    started = time.monotonic()
    heard, said = os.pipe()
    guard = os.getpid()
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    worker = os.fork()
    if worker == 0:
        os.close(heard)
        os.close(told)
        _work(work, limits, guard, said)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    os.close(said)
    text, overdue = _until_ended(worker, heard, started + limits.seconds)
    if overdue:
        os.kill(worker, signal.SIGKILL)
    _, status, usage = os.wait4(worker, 0)
    _end_descendants()
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    base, *rest = text.split("\n")
    answer: dict[str, Any] = json.loads(rest[1]) if len(rest) == WHOLE else {}
    children = int(rest[0]) if answer else 0
    own = usage.ru_maxrss * 1024 - int(base or 0)
    failure = answer.get("failure")
    if overdue:
        failure = f"{OVERDUE} {limits.seconds:.3g} seconds and was ended"
    elif not answer:
        failure = _death(status, limits)
    return {
        "value": None if failure else answer.get("value"),
        "processor_seconds": spent.ru_utime + spent.ru_stime,
        "peak_memory_bytes": max(own, children, 0),
        "failure": failure,
    }


def _work(work: Callable[[], Any], limits: Limits, guard: int, said: int) -> NoReturn:
    _, free = resource.getrlimit(resource.RLIMIT_DATA)
    try:
        os.setpgid(0, 0)
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(each, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guard:
            os._exit(1)
        os.environ.pop("FRANKLIN_PROGRESS", None)  # progress is the engine's to tell
        os.environ.update(dict.fromkeys(THREADS, str(limits.threads)))
        os.dup2(2, 1)
        gc.freeze()  # what was there before is nobody's to collect here, nor to copy for it
        os.write(said, f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}\n".encode())
        resource.setrlimit(resource.RLIMIT_DATA, (_data_bytes() + limits.memory_bytes, free))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with threadpool_limits(limits.threads):
            answer = json.dumps({"value": work()})
    except MemoryError:
        answer = json.dumps({"failure": _too_much(limits)})
    except FranklinError as error:
        answer = json.dumps({"failure": str(error)})
    except BaseException as error:  # noqa: BLE001 -- whatever ends a candidate is a result
        answer = json.dumps({"failure": _words(error, limits)})
        traceback.print_exc()
    resource.setrlimit(resource.RLIMIT_DATA, (free, free))  # to say so takes some as well
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    _write_all(said, f"{children}\n{answer}\n".encode())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _until_ended(worker: int, heard: int, deadline: float) -> tuple[str, bool]:
    """What the worker says until it ends, and whether it did not end in time.

    The pipe alone does not tell: what the worker has forked may hold it open.
    """
    os.set_blocking(heard, False)
    ended = os.pidfd_open(worker)
    text = b""
    try:
        while True:
            ready = select.select([heard, ended], [], [], max(0, deadline - time.monotonic()))[0]
            if heard in ready and (part := os.read(heard, PIPE_BYTES)):
                text += part
            elif ended in ready:
                return text.decode(), False
            elif not ready:
                return text.decode(), True
            else:  # it has closed its end, and is about to go
                time.sleep(0.001)
    finally:
        os.close(ended)
        os.close(heard)


def _end_descendants() -> None:
    deadline = time.monotonic() + KILL_SECONDS
    while (left := psutil.Process().children(recursive=True)) and time.monotonic() < deadline:
        for process in left:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        _reap()
        time.sleep(0.005)


def _reap() -> None:
    """Collect those that have ended, so that their seconds count."""
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return
        except ChildProcessError:
            return


def _death(status: int, limits: Limits) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"its process left with exit status {code} before it had a result"
    name = signal.Signals(-code).name
    if name == "SIGABRT":
        return f"{ABORTED}, as libraries do that get no more than {_size(limits.memory_bytes)}"
    if name == "SIGKILL":
        return f"its process was killed (SIGKILL) {OUTSIDE}; the machine may have run out of memory"
    return f"its process crashed ({name})"


def _words(error: BaseException, limits: Limits) -> str:
    said = " ".join(str(error).split())
    if any(words in said.lower() for words in OUT_OF_MEMORY):
        return _too_much(limits)
    return f"{type(error).__name__}: {said}"[:300]


def _too_much(limits: Limits) -> str:
    return f"{TOO_MUCH} the {_size(limits.memory_bytes)} that a fit may take"


def _size(count: int) -> str:
    return f"{count / 2**30:.3g} GiB" if count >= 2**30 else f"{count / 2**20:.3g} MiB"


def _data_bytes() -> int:
    """What RLIMIT_DATA counts of this process (`proc(5)`, VmData)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmData"))


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _write_all(end: int, content: bytes) -> None:
    while content:
        content = content[os.write(end, content) :]
