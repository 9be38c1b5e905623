"""Ending a training that is asked to: all ranks after the same step, with a checkpoint to go on from."""

import os
import signal
import time
from threading import Event, Thread
from typing import Any

import torch

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)  # a Spark executor that ends hangs up
GRACE_SECONDS = 7.0  # after which a rank ends without
LOOK_SECONDS = 0.25  # between two looks at whether some rank was asked
SELDOM_SECONDS = 1.5  # where ranks step alone: at a look, one that is ahead waits for those that the last is news to
MOST_STEPS = 64


class StoppedError(SystemExit):
    """The training was asked to end, and has left a checkpoint."""


class Stop:
    """Whether this rank was asked to end.

    Attributes:
        training: whether it is worth a checkpoint; else this process ends at once when it is asked.

    """

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self.training = False
        self._asked = Event()

    @property
    def asked(self) -> bool:
        """Whether a signal has come."""
        return self._asked.is_set()

    def listen(self) -> None:
        """Listen to signals from here on, in a thread too: the main one may be waiting for a rank that is no more."""
        end, start = os.pipe()
        os.set_blocking(start, False)
        for each in SIGNALS:
            signal.signal(each, lambda *_: None)
        signal.set_wakeup_fd(start, warn_on_full_buffer=False)
        os.register_at_fork(after_in_child=_listen_no_more)
        Thread(target=self._watch, args=(end,), name="signals", daemon=True).start()

    def _watch(self, pipe: int) -> None:
        while (sent := os.read(pipe, 1)[0]) not in SIGNALS:
            pass
        self._asked.set()
        deadline = time.monotonic() + GRACE_SECONDS
        while self.training and time.monotonic() < deadline:
            time.sleep(0.05)
        os._exit(128 + sent)


class Agreement:
    """What all ranks agree on: whether they end after this step.

    Each look answers what was asked at the last one and asks anew, so nobody waits; they also agree on how many steps
    lie between.
    """

    def __init__(self, stop: Stop, *, seldom: bool = False) -> None:
        """Ask for this rank's `stop`."""
        self._stop = stop
        self._seconds = SELDOM_SECONDS if seldom else LOOK_SECONDS
        self._next = self._step = 0
        self._time = time.monotonic()
        self._asked = torch.zeros(2)
        self._work: Any = None
        self._group: Any = None

    def look(self, step: int) -> bool:
        """Say whether all ranks end after this step; every rank asks after the same ones."""
        if not torch.distributed.is_initialized():
            return self._stop.asked
        if step < self._next:
            return False
        stop, between = self._answer()
        if stop:
            return True
        if self._group is None:
            self._group = torch.distributed.new_group(backend="gloo")
        now = time.monotonic()
        affordable = (step - self._step) * self._seconds / max(now - self._time, 1e-6)
        self._step, self._time, self._next = step, now, step + between
        self._asked = torch.tensor([float(self._stop.asked), -min(max(affordable, 1.0), MOST_STEPS)])
        most = torch.distributed.ReduceOp.MAX
        self._work = torch.distributed.all_reduce(self._asked, op=most, group=self._group, async_op=True)
        return False

    def _answer(self) -> tuple[bool, int]:
        """Whether some rank was asked to end before the last look, and how many steps shall lie between looks."""
        if self._work is None:
            return False, 1
        self._work.wait()
        asked, fewest = self._asked.tolist()
        return asked > 0, int(-fewest)

    def close(self) -> None:
        """Hear the last answer, which nobody needs."""
        if self._work is not None:
            self._work.wait()


def take_over(trainer: Any) -> None:
    """Keep Lightning from what it does about signals: a broadcast in each step, and one out of the handler."""
    trainer._signal_connector.register_signal_handlers = lambda: None  # noqa: SLF001
    trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = lambda: None  # noqa: SLF001


def _listen_no_more() -> None:
    """Have a process that was forked end as others do."""
    signal.set_wakeup_fd(-1)
    for each in SIGNALS:
        signal.signal(each, signal.SIG_DFL)
