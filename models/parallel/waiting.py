"""How long a rank waits for others."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Variable
from torch.distributed import Work
from torch.distributed import _functional_collectives as functional

Mark = float | torch.cuda.Event
MILLISECOND = 1e-3


class Waits:
    """Adds up the time in which this rank does nothing but wait for others, or for what it exchanges with them.

    What is exchanged while it works costs it no time. A GPU waits in its stream, which only marks in it can tell:
    there, only that is known which is placed behind a backward pass.
    """

    def __init__(self) -> None:
        """Count from here on."""
        self._seconds = 0.0
        self._within = False
        self._thread = threading.get_ident()
        self._marks: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []

    @property
    def seconds(self) -> float:
        """By now; of a GPU, once it has come so far."""
        for begin, end in self._marks:
            end.synchronize()
            self._seconds += begin.elapsed_time(end) * MILLISECOND
        self._marks.clear()
        return self._seconds

    @contextmanager
    def behind(self, loss: Tensor) -> Iterator[None]:
        """Count what the backward pass of `loss`, which is within, does when all gradients are there: an exchange."""
        marks: list[Mark] = []

        def done() -> None:
            marks.append(_mark(loss.device))

        def begun(_gradient: Tensor) -> None:
            # What is queued first runs first, and whoever exchanges gradients queues that when it has all of them.
            Variable._execution_engine.queue_callback(done)  # noqa: SLF001 -- it has no public name

        loss.register_hook(begun)  # type: ignore[no-untyped-call]
        yield
        begin, end = marks[0], _mark(loss.device)
        if isinstance(begin, float) and isinstance(end, float):
            self._seconds += end - begin
        elif isinstance(begin, torch.cuda.Event) and isinstance(end, torch.cuda.Event):
            self._marks.append((begin, end))

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count what is within, once, if it is this rank's own thread that waits."""
        if self._within or threading.get_ident() != self._thread:
            yield
            return
        began, self._within = time.perf_counter(), True
        try:
            yield
        finally:
            self._within = False
            self._seconds += time.perf_counter() - began

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Count whenever somebody waits for a collective, or for a message, within."""
        one: Callable[..., Any] = Work.wait
        other: Callable[..., Any] = functional.wait_tensor

        def wait(work: Work, *arguments: Any, **options: Any) -> Any:
            with self.waiting():
                return one(work, *arguments, **options)

        def wait_tensor(tensor: Tensor) -> Any:
            with self.waiting():
                return other(tensor)

        Work.wait = wait  # type: ignore[method-assign, assignment]
        functional.wait_tensor = wait_tensor
        try:
            yield
        finally:
            Work.wait = one  # type: ignore[method-assign]
            functional.wait_tensor = other


def _mark(device: torch.device) -> Mark:
    """This moment, or this place in a GPU's stream."""
    if device.type != "cuda":
        return time.perf_counter()
    event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    event.record()
    return event
