"""A small guard between a flow and one engine: `python -m flows.supervise GRACE_SECONDS COMMAND ...`.

It starts the command, adds up the memory of everything below it, and ends all of that when the command ends, on
SIGTERM, or when its own standard input closes, which is what happens when the flow dies, however it dies. On Linux it
adopts orphans (`prctl(2)`, PR_SET_CHILD_SUBREAPER): torchrun's ranks, in sessions of their own, don't escape either.
Its last line of standard output is `USAGE_MARK` and a JSON object: exit status, peak memory, processor-seconds.
"""

import ctypes
import json
import os
import resource
import select
import signal
import subprocess
import sys
import threading
import time

import psutil

USAGE_MARK = "@usage "
SAMPLE_SECONDS = 0.2
KILL_SECONDS = 5.0
PR_SET_CHILD_SUBREAPER = 36
PIPE_BYTES = 4096


def supervise(command: list[str], grace_seconds: float) -> int:
    """Run a command until it ends or standard input closes; leave nothing of it alive.

    What is asked to end has `grace_seconds` for it, then it is killed.

    Returns:
        The command's exit status, 128 + signal if a signal ended it.

    """
    adopt_orphans()
    abandoned = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: abandoned.set())
    # Shells have background jobs ignore it, which is inherited; a Prefect worker ends by sending it to itself.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    woken = wake_on_ended_child()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    status: int | None = None
    peak_bytes = 0
    while status is None and not abandoned.is_set():
        ready = select.select([sys.stdin, woken], [], [], SAMPLE_SECONDS)[0]
        if woken in ready:
            os.read(woken, PIPE_BYTES)
        elif ready:
            abandoned.set()
        peak_bytes = max(peak_bytes, memory_bytes())
        status = reap(child.pid)
    end_descendants(grace_seconds)
    times = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = 128 + signal.SIGTERM if status is None else exit_code(status)
    usage = {"exit": code, "peak_memory_bytes": peak_bytes, "processor_seconds": times.ru_utime + times.ru_stime}
    sys.stdout.write(f"{USAGE_MARK}{json.dumps(usage)}\n")
    sys.stdout.flush()
    return code


def wake_on_ended_child() -> int:
    """Return a pipe's end that can be read whenever a child has ended."""
    end, start = os.pipe()
    os.set_blocking(start, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(start, warn_on_full_buffer=False)
    return end


def adopt_orphans() -> None:
    """Make this process the parent of every orphan below it, where the system can (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def memory_bytes() -> int:
    """Resident memory of all descendants together; pages that they share count once for each."""
    total = 0
    for process in psutil.Process().children(recursive=True):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def reap(pid: int) -> int | None:
    """Collect every descendant that has ended; the wait status of `pid` if it is among them."""
    status = None
    while True:
        try:
            ended, ended_status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if ended == 0:
            return status
        if ended == pid:
            status = ended_status


def end_descendants(grace_seconds: float) -> None:
    """Ask every descendant to end, and kill those that have not after the grace."""
    for send, patience in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, KILL_SECONDS)):
        deadline = time.monotonic() + patience
        for process in psutil.Process().children(recursive=True):
            try:
                process.send_signal(send)
            except psutil.NoSuchProcess:
                continue
        while psutil.Process().children(recursive=True) and time.monotonic() < deadline:
            reap(0)
            time.sleep(0.02)


def exit_code(status: int) -> int:
    """A shell's exit status from a wait status."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(supervise(sys.argv[2:], float(sys.argv[1])))
