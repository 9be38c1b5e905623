"""Engines run in processes of their own, and nothing of them is left alive."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from conf.errors import FranklinError
from flows.processes import Cost, EngineCrashError, EngineTimeoutError, Progress, run_engine
from tests.flows.engines import Done, Order

ENGINE = [sys.executable, "-m", "tests.flows.engines"]


def call(
    folder: Path, deed: str, *, seen: list[Progress] | None = None, cost: Cost | None = None, timeout: float = 60
) -> Done:
    order = Order(answer=folder / "answer.json", deed=deed)
    watch = (seen if seen is not None else []).append
    return run_engine(ENGINE, order, Done, watch=watch, cost=cost or Cost(), timeout_seconds=timeout)


def gone(pid: int, within_seconds: float = 12) -> bool:
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def test_result_progress_and_log(tmp_path: Path) -> None:
    seen: list[Progress] = []
    cost = Cost()
    assert call(tmp_path, "answer", seen=seen, cost=cost).pid != os.getpid()
    assert seen == [Progress(done=1, total=2, unit="steps", note="half")]
    assert "a line for the log" in (tmp_path / "answer.log").read_text()
    assert cost.seconds > 0
    assert cost.processor_seconds > 0


def test_an_engine_that_nobody_listens_to_any_more_ends_its_work(tmp_path: Path) -> None:
    request = tmp_path / "request.json"
    request.write_text(Order(answer=tmp_path / "answer.json", deed="report").model_dump_json(), encoding="utf-8")
    end, start = os.pipe()
    os.close(end)
    variables = {**os.environ, "FRANKLIN_PROGRESS": "1"}
    assert subprocess.run([*ENGINE, str(request)], env=variables, stdout=start, check=True, timeout=60).returncode == 0
    os.close(start)
    assert "result" in (tmp_path / "answer.json").read_text()


def test_peak_memory_counts_the_engine(tmp_path: Path) -> None:
    cost = Cost()
    call(tmp_path, "eat", cost=cost)
    assert cost.peak_memory_bytes > 200_000_000


def test_a_crashed_engine_is_counted_too(tmp_path: Path) -> None:
    cost = Cost()
    with pytest.raises(EngineCrashError):
        call(tmp_path, "crash", cost=cost)
    assert cost.processor_seconds > 0


def test_a_mistake_arrives_as_its_one_line(tmp_path: Path) -> None:
    with pytest.raises(FranklinError, match=r"^the label is absent: choose another$"):
        call(tmp_path, "complain")


def test_a_crash_names_the_log_and_shows_its_end(tmp_path: Path) -> None:
    with pytest.raises(EngineCrashError, match=r"(?s)exit status 1; log: .*answer\.log.*ZeroDivisionError: a defect"):
        call(tmp_path, "crash")


def test_an_old_answer_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    call(tmp_path, "answer")
    with pytest.raises(EngineCrashError):
        call(tmp_path, "crash")


def test_orphans_end_with_their_engine(tmp_path: Path) -> None:
    seen: list[Progress] = []
    call(tmp_path, "orphan", seen=seen)
    assert gone(seen[0].done, within_seconds=0.1)


def test_timeout_ends_everything(tmp_path: Path) -> None:
    seen: list[Progress] = []
    with pytest.raises(EngineTimeoutError, match="took longer than 2"):
        call(tmp_path, "hang", seen=seen, timeout=2)
    assert gone(seen[0].done, within_seconds=0.1)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_engine_dies_with_the_flow(tmp_path: Path, sent: signal.Signals) -> None:
    """However the flow's process ends: by Ctrl-C with a finally, or killed outright."""
    code = (
        "import sys, pathlib; from tests.flows.test_processes import call\n"
        "class Tell(list):\n"
        "    def append(self, event): print(event.done, flush=True)\n"
        f"call(pathlib.Path({str(tmp_path)!r}), 'hang', seen=Tell())"
    )
    flow = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert flow.stdout is not None
    sleeper = int(flow.stdout.readline())
    flow.send_signal(sent)
    flow.wait(20)
    flow.stdout.close()
    assert gone(sleeper)
