"""Small real engines for the tests of flows.processes: `python -m tests.flows.engines REQUEST.json`."""

import os
import subprocess
import sys
import time

from conf.errors import FranklinError
from conf.exchange import Request, progress, serve
from conf.strict import Strict


class Order(Request):
    """What the engine shall do."""

    deed: str


class Done(Strict):
    """What it did."""

    pid: int


def work(order: Order) -> Done | None:
    """Do the deed."""
    if order.deed != "report":
        print("a line for the log")  # noqa: T201 - engines may print
    if order.deed == "complain":
        raise FranklinError("the label is absent: choose another")
    if order.deed == "crash":
        raise ZeroDivisionError("a defect")
    if order.deed == "eat":
        eaten = b"x" * 200_000_000
        time.sleep(1)
        del eaten
    if order.deed in {"hang", "orphan"}:
        sleeper = [sys.executable, "-c", "import signal, time; signal.signal(15, lambda *_: None); time.sleep(600)"]
        child = subprocess.Popen(sleeper, start_new_session=True)
        progress(child.pid, 0, "pid")
    if order.deed == "hang":
        time.sleep(600)
    progress(1, 2, "steps", "half")
    return Done(pid=os.getpid())


if __name__ == "__main__":
    serve(Order, work)
