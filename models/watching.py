"""Finding the rank that hangs, by what all ranks tell of how far they are, and saying where it stands."""

import faulthandler
import json
import os
import sys
import sysconfig
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import torch

from conf.exchange import answer, answered

BEAT_SECONDS = 1.0
LISTEN_SECONDS = 4.0  # for other ranks' words about themselves, before one is accused
CONNECT_SECONDS = 2.0  # in one attempt
START_SECONDS = 300  # at least, until training begins: modules and data may come from a slow disk
ASLEEP_SECONDS = 10.0  # between two beats: the whole process was stopped for a while, or the machine
# Where a rank is that waits for others: below our own code in these, or at the end of it in those; with one exception.
AMONG = tuple(f"{os.sep}torch{os.sep}{part}{os.sep}" for part in ("distributed", "autograd"))
WAITING = tuple(str(Path(__file__).with_name("parallel") / f"{name}.py") for name in ("messages", "waiting"))
OURS = str(Path(__file__).parent)  # wherever it is installed
WORKS = "backward_one_chunk"  # a stage's own, in which no gradients are averaged
VERDICT, DOUBT = "verdict", "doubt"


class Told(NamedTuple):
    """What a rank tells of itself.

    Attributes:
        beat: how often it has told.
        marks: how far it is, in marks; all ranks pass the same ones.
        where: the last mark.
        done: whether it has nothing more to do.
        stack: of its main thread, if somebody is in doubt.
        frame: where in the code that is.
        waits: whether it waits for other ranks there.

    """

    beat: int
    marks: int
    where: str
    done: bool
    stack: str = ""
    frame: str = ""
    waits: bool = False


class Watch:
    """Tells how far this rank is, and ends it if a rank has hung."""

    def __init__(self, rank: int, world_size: int, seconds: float, reply: Path) -> None:
        """Watch nothing yet.

        Args:
            rank: this one.
            world_size: number of ranks.
            seconds: a rank that passes no mark for so long has hung.
            reply: the answer file that gets the verdict.

        """
        self._rank, self._world_size, self._seconds, self._reply = rank, world_size, seconds, reply
        self._beat = self._marks = 0
        self._where: tuple[str, int, int, int] = ("before training", -1, 0, 0)
        self._since = time.monotonic()
        self._closed = threading.Event()

    def mark(self, what: str, step: int = -1, epoch: int = 0, batch: int = 0) -> None:
        """Pass a mark; epochs and batches count from 0."""
        self._marks += 1
        self._where, self._since = (what, step, epoch, batch), time.monotonic()

    @contextmanager
    def running(self) -> Iterator["Watch"]:
        """Watch while the block runs."""
        thread = threading.Thread(target=self._run, name="watch", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._closed.set()
            thread.join()
            faulthandler.cancel_dump_traceback_later()

    def _run(self) -> None:
        with suppress(torch.distributed.DistError):  # the store is gone, so the agent is, and this rank will be
            if self._world_size == 1:
                self._watch(None)
            elif (store := self._store()) is not None:
                self._watch(store)

    def _watch(self, store: Any) -> None:
        heard = time.monotonic()
        while not self._closed.wait(BEAT_SECONDS):
            # If Python itself is held up, so is this thread; what is set off here does not need it.
            faulthandler.dump_traceback_later(self._limit + LISTEN_SECONDS, exit=self._world_size == 1)
            before, heard = heard, time.monotonic()
            if heard - before > ASLEEP_SECONDS:
                self._since = heard
            self._tell(store)
            if store is not None and store.check([VERDICT]):
                self._end(store.get(VERDICT).decode())
            if heard - self._since > self._limit and (verdict := self._judge(store)):
                self._end(self._agreed(store, verdict))
        self._tell(store)

    @property
    def _limit(self) -> float:
        return self._seconds if self._marks else max(self._seconds, START_SECONDS)

    def _store(self) -> Any:
        """The ranks' store, by a connection of its own: the main thread may be waiting on another.

        Where it is rank 0 that has it, it may not be there yet, and no more when a short training is over: then None.
        """
        host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        distributed: Any = torch.distributed
        while not self._closed.is_set():
            with suppress(torch.distributed.DistError):
                store = distributed.TCPStore(host, port, is_master=False, timeout=timedelta(seconds=CONNECT_SECONDS))
                store.set_timeout(timedelta(seconds=START_SECONDS))
                return distributed.PrefixStore("watch", store)
        return None

    def _tell(self, store: Any) -> Told:
        self._beat += 1
        told = Told(self._beat, self._marks, _words(*self._where), self._closed.is_set())
        if store is None or store.check([DOUBT]):
            told = told._replace(**_place(_main_frame()))
        if store is not None:
            store.set(str(self._rank), json.dumps(told))
        return told

    def _judge(self, store: Any) -> str | None:
        """Say which rank has hung, if one has; this one is at a stand."""
        if store is None:
            return self._accuse(self._rank, self._tell(None))
        store.set(DOUBT, "1")
        before = self._heard(store)
        deadline = time.monotonic() + LISTEN_SECONDS
        while time.monotonic() < deadline and not self._closed.wait(BEAT_SECONDS):
            self._tell(store)
        now = self._heard(store)
        if missing := set(range(self._world_size)) - now.keys():
            return f"rank {min(missing)} has not begun: its process was stopped, or hangs where it starts"
        working = {rank: told for rank, told in now.items() if not told.done}
        for rank, told in working.items():
            if rank in before and told.beat == before[rank].beat:
                gone = "its process was stopped, or its machine is gone"
                return f"rank {rank} does not answer: {gone}; it was last seen {told.where}"
        moved = [rank for rank in working if rank not in before or working[rank].marks != before[rank].marks]
        if self._rank not in working or any(working[rank].marks <= working[self._rank].marks for rank in moved):
            return None  # it was slow, or whoever it waits for is
        rank = min(working, key=lambda each: (working[each].marks, working[each].waits, each))
        return self._accuse(rank, working[rank])

    def _accuse(self, rank: int, told: Told) -> str:
        return f"rank {rank} has got no further for {self._limit:g} seconds: it is {told.where}, in {told.frame}"

    def _heard(self, store: Any) -> dict[int, Told]:
        known = [rank for rank in range(self._world_size) if store.check([str(rank)])]
        return {rank: Told(*json.loads(store.get(str(rank)))) for rank in known}

    def _agreed(self, store: Any, verdict: str) -> str:
        """Have the first verdict be that of all, and the answer."""
        agreed = verdict if store is None else store.compare_set(VERDICT, "", verdict).decode()
        if agreed == verdict and "error" not in answered(self._reply):
            answer(self._reply, {"error": f"{verdict}; the log has the stacks of all ranks"})
        return str(agreed)

    def _end(self, verdict: str) -> None:
        stack = _place(_main_frame())["stack"]
        sys.stderr.write(f"{verdict}\nrank {self._rank} is here:\n{stack}")
        sys.stderr.flush()
        os._exit(1)


def _words(what: str, step: int, epoch: int, batch: int) -> str:
    return what if step < 0 else f"{what} at step {step} (epoch {epoch + 1}, batch {batch + 1})"


def _main_frame() -> FrameType:
    return sys._current_frames()[threading.main_thread().ident or 0]  # noqa: SLF001


def _place(frame: FrameType) -> dict[str, Any]:
    """Where a thread is: its stack, the innermost frame of somebody's own code, and whether it waits for ranks."""
    stack = traceback.extract_stack(frame)
    libraries = (sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), "<")
    own = [
        place
        for place, each in enumerate(stack)
        if each.filename.startswith(OURS) or not each.filename.startswith(libraries)
    ]
    inmost = own[-1] if own else len(stack) - 1
    here, within = stack[inmost], [each.filename for each in stack[inmost + 1 :]]
    among = here.filename in WAITING or any(part in filename for filename in within for part in AMONG)
    return {
        "stack": "".join(stack.format()),
        "frame": f"{Path(*Path(here.filename).parts[-2:])}:{here.lineno} in {here.name}",
        "waits": among and here.name != WORKS,
    }
