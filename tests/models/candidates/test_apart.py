"""Real processes that end well, badly, or not at all."""

import ctypes
import faulthandler
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from conf.errors import FranklinError
from models.candidates.apart import Limits, apart, together

LIMITS = Limits(memory_bytes=200 * 2**20, seconds=20)
NAP = ["sleep", "1234"]


def gone(*processes: int) -> bool:
    """Whether they end within a while."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if not any(psutil.pid_exists(process) for process in processes):
            return True
        time.sleep(0.02)
    return False


def test_what_is_returned_comes_back() -> None:
    outcome = apart(lambda: {"metrics": [1.5, None], "text": "x" * 200_000}, LIMITS)
    assert outcome.value == {"metrics": [1.5, None], "text": "x" * 200_000}
    assert outcome.failure is None


def test_it_is_another_process_without_handlers_and_leaves_nothing_here() -> None:
    before = psutil.Process().children(recursive=True)
    outcome = apart(lambda: [os.getpid(), os.getpgid(0), signal.getsignal(signal.SIGTERM) == signal.SIG_DFL], LIMITS)
    assert outcome.value[0] == outcome.value[1] != os.getpid()
    assert outcome.value[2]
    assert psutil.Process().children(recursive=True) == before


def _allocates() -> float:
    return float(np.ones(2**30).sum())


def _crashes() -> None:
    faulthandler.disable()  # it is meant to: no stacks in the log
    ctypes.string_at(0)


def _aborts() -> None:
    faulthandler.disable()
    os.abort()


def _raises() -> None:
    raise ValueError("one\ntwo")


def _mistaken() -> None:
    raise FranklinError("say so")


def _library() -> None:
    raise RuntimeError("Check failed: std::bad_alloc")


@pytest.mark.parametrize(
    ("work", "says"),
    [
        (_allocates, "it needs more memory than the 200 MiB that a fit may take"),
        (_library, "it needs more memory than the 200 MiB that a fit may take"),
        (_raises, "ValueError: one two"),
        (_mistaken, "say so"),
        (_crashes, "its process crashed (SIGSEGV)"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "its process was killed (SIGKILL) from outside"),
        (_aborts, "its process ended itself (SIGABRT)"),
        (lambda: os._exit(7), "its process left with exit status 7 before it had a result"),
        (lambda: sys.exit(3), "SystemExit: 3"),
        (lambda: np.ones(3), "TypeError: Object of type ndarray is not JSON serializable"),
    ],
)
def test_how_it_ends_is_said_in_one_line(work: Callable[[], Any], says: str) -> None:
    outcome = apart(work, LIMITS)
    assert outcome.value is None
    assert outcome.failure is not None
    assert outcome.failure.startswith(says)
    assert "\n" not in outcome.failure


def test_time_is_limited_even_for_what_ignores_signals() -> None:
    def deaf() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(100)

    outcome = apart(deaf, Limits(LIMITS.memory_bytes, 0.5))
    assert outcome.failure == "it took longer than 0.5 seconds and was ended"
    assert outcome.seconds < 50


def test_peak_memory_is_what_it_took_itself() -> None:
    ballast = np.ones(2**25)  # 256 MiB that both have
    small, large = (apart(lambda rows=rows: float(np.ones(rows).sum()), LIMITS) for rows in (1, 2**24))
    assert ballast.sum()
    assert small.peak_memory_bytes < 2**26
    assert 2**27 <= large.peak_memory_bytes < 2**27 + 2**26


def test_processor_seconds_of_its_children_count() -> None:
    def busy() -> None:
        until = "import time\nwhile time.process_time() < 0.5: pass"
        subprocess.run([sys.executable, "-c", until], check=True)

    assert apart(busy, LIMITS).processor_seconds >= 0.5


@pytest.mark.parametrize("then", [lambda: None, _crashes, lambda: time.sleep(100)])
def test_what_it_started_is_killed_however_it_ends(then: Callable[[], Any], tmp_path: Path) -> None:
    def work() -> None:
        left = subprocess.Popen(NAP, start_new_session=True)
        if (forked := os.fork()) == 0:
            time.sleep(1000)
        (tmp_path / "left").write_text(f"{left.pid} {forked}")
        then()

    apart(work, Limits(LIMITS.memory_bytes, 5))
    assert gone(*map(int, (tmp_path / "left").read_text().split()))


ENGINE = """
import os, pathlib, subprocess, sys, time
from conf.exchange import clean_up_on_sigterm
from models.candidates.apart import Limits, together
def work():
    left = subprocess.Popen(["sleep", "1234"], start_new_session=True)
    pathlib.Path(sys.argv[1], str(os.getpid())).write_text(str(left.pid))
    time.sleep(1000)
clean_up_on_sigterm()
together([work, work], Limits(2**28, 500), 2)
"""


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_an_engine_that_is_killed(sent: signal.Signals, tmp_path: Path) -> None:
    engine = subprocess.Popen([sys.executable, "-c", ENGINE, str(tmp_path)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len([path for path in tmp_path.iterdir() if path.read_text()]) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    started = [int(number) for path in tmp_path.iterdir() for number in (path.name, path.read_text())]
    below = [process.pid for process in psutil.Process(engine.pid).children(recursive=True)]
    engine.send_signal(sent)
    assert engine.wait() != 0
    assert len(started) == 4
    assert gone(*started, *below)


def test_together_answers_in_order_whoever_is_first() -> None:
    outcomes = together([lambda turn=turn: time.sleep(0.2 - turn / 20) or turn for turn in range(5)], LIMITS, 3)
    assert [outcome.value for outcome in outcomes] == [0, 1, 2, 3, 4]


def test_ended_group_of_one_worker_leaves_the_others() -> None:
    works = [_crashes, lambda: time.sleep(0.5) or "well"]
    assert [outcome.value for outcome in together(works, LIMITS, 2)] == [None, "well"]
