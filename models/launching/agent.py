"""One machine's agent: it starts this machine's ranks, and starts them again from the last checkpoint if one dies."""

import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch.distributed.elastic.agent.server.api import RunResult, Worker, WorkerGroup, WorkerSpec, WorkerState
from torch.distributed.elastic.agent.server.local_elastic_agent import LocalElasticAgent
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
from torch.distributed.elastic.multiprocessing.errors import ProcessFailure
from torch.distributed.elastic.rendezvous import RendezvousClosedError, RendezvousHandler, RendezvousTimeoutError

from conf.checkpoints import complete
from conf.errors import FranklinError
from conf.exchange import AGENT, TrainRequest, answer, answered
from conf.launchers import Torchrun
from models.launching.address import interface
from models.launching.allocator import lent

GRACE_SECONDS = 8  # in which ranks that are asked to end leave a checkpoint
MONITOR_SECONDS = 0.1
LOOK_SECONDS = 1.0  # from one look at the answer to the next
MISTAKE_SECONDS = 5.0  # in which ranks end by themselves, once one has answered with a mistake
INTERFACE = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")
FIRST = "first"  # key of the agent whose ranks come first


class Agent(LocalElasticAgent):
    """PyTorch's elastic agent, but that it counts a restart only if no checkpoint was written since the last one.

    It does not start ranks again that have ended for a reason which would end them again: an error in the answer.
    """

    def __init__(
        self, request: TrainRequest, path: Path, meeting: RendezvousHandler, logs: str, *, first: bool
    ) -> None:
        """Start nothing yet.

        Args:
            request: the training.
            path: its file, which every rank reads.
            meeting: where the machines' agents find one another.
            logs: a folder for what torch keeps of each rank.
            first: whether ranks are counted from this machine on.

        """
        launcher = torchrun(request)
        spec = WorkerSpec(
            role="rank",
            local_world_size=request.world_size // launcher.nodes,
            entrypoint=sys.executable,
            args=("-u", "-m", "models.train", str(path)),
            rdzv_handler=meeting,
            max_restarts=launcher.restarts,
            monitor_interval=MONITOR_SECONDS,
        )
        super().__init__(spec, DefaultLogsSpecs(logs), shutdown_timeout=GRACE_SECONDS)
        self._request, self._first = request, first
        self._checkpoint = self._last_checkpoint()
        self._next_look = 0.0
        self._mistaken: float | None = None  # since when the answer is an error

    def _rendezvous(self, worker_group: WorkerGroup) -> None:
        """Meet with a store that knows nothing of ranks that are dead: torch would use the last one again."""
        meeting: Any = worker_group.spec.rdzv_handler
        meeting._bootstrap_store_info = meeting._shared_tcp_store_server = None  # noqa: SLF001
        super()._rendezvous(worker_group)

    def _assign_worker_ranks(
        self, store: Any, group_rank: int, group_world_size: int, spec: WorkerSpec
    ) -> list[Worker]:
        """Count ranks from the first machine on, which reports; torch sorts machines by their addresses."""
        if self._first:
            store.set(FIRST, str(group_rank))
        first = int(store.get(FIRST))
        place = 0 if group_rank == first else group_rank + (group_rank < first)
        ranks, size = spec.local_world_size, group_world_size * spec.local_world_size
        return [Worker(each, place * ranks + each, place * ranks + each, size, size) for each in range(ranks)]

    def _start_workers(self, worker_group: WorkerGroup) -> dict[int, Any]:
        """Start them; when one dies, the others get as long to end as when all are asked to."""
        with lent(self._request.checkpointing):
            started: dict[int, Any] = super()._start_workers(worker_group)
        context: Any = self._pcontext
        close = context.close
        context.close = lambda sent=None, timeout=GRACE_SECONDS: close(sent, min(timeout, GRACE_SECONDS))
        return started

    def _monitor_workers(self, worker_group: WorkerGroup) -> RunResult:
        """Look at the ranks, and say whether those that failed may be started again."""
        result: RunResult = super()._monitor_workers(worker_group)
        if result.state is WorkerState.HEALTHY and self._ended_elsewhere():
            self._remaining_restarts = 0
            return RunResult(state=WorkerState.FAILED)
        if result.is_failed():
            checkpoint = self._last_checkpoint()
            if "error" in answered(self._request.answer):
                self._remaining_restarts = 0
            elif checkpoint != self._checkpoint:
                self._checkpoint = checkpoint
                forgiven = torchrun(self._request).restarts + 1 - self._remaining_restarts
                self._remaining_restarts += forgiven
                worker_group.spec.max_restarts += forgiven  # their difference numbers the attempts
            after = "ranks start again" if self._remaining_restarts else "that is the end"
            sys.stderr.write(f"{told(result.failures)}; {after}\n")
        return result

    def _ended_elsewhere(self) -> bool:
        """Whether the answer has been an error for a while: these ranks wait for one that another machine had."""
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + LOOK_SECONDS
            if "error" not in answered(self._request.answer):
                self._mistaken = None
            elif self._mistaken is None:
                self._mistaken = now
        return self._mistaken is not None and now - self._mistaken > MISTAKE_SECONDS

    def _last_checkpoint(self) -> Path | None:
        return max(complete(self._request.run_folder / "checkpoints"), default=None)


def run_ranks(request: TrainRequest, path: Path, meeting: RendezvousHandler, own: str, *, first: bool) -> None:
    """Run this machine's ranks to their end.

    Args:
        request: the training.
        path: its file.
        meeting: where the machines' agents find one another.
        own: address at which this machine's ranks are reached.
        first: whether ranks are counted from this machine on.

    Raises:
        FranklinError: they failed more often than they may (the answer says more if it was a person's mistake), or
            other machines did not come, or gave up.
        SignalException: the agent was asked to end; so were the ranks.
        RendezvousError: the first machine has gone.

    """
    launcher = torchrun(request)
    os.environ[AGENT] = str(os.getpid())
    if request.world_size // launcher.nodes > 1:
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # as torchrun does; a rank then takes its share of the cores
    if launcher.nodes > 1 and (name := interface(own)):
        for variable in INTERFACE:
            os.environ.setdefault(variable, name)
    with tempfile.TemporaryDirectory(prefix="franklin-ranks-") as logs:
        agent = Agent(request, path, meeting, logs, first=first)
        try:
            result: RunResult | None = agent.run()
        except RendezvousTimeoutError:
            raise FranklinError(
                f"of {launcher.nodes} machines, not all came to {launcher.address} within {launcher.wait_seconds} "
                f"seconds; run `franklin join {launcher.address}` on each of the others"
            ) from None
        except RendezvousClosedError:
            ended = "another machine has ended the training; there, join.log says why"
            raise FranklinError(answered(request.answer).get("error", ended)) from None
    if result is None:  # this machine was one too many, and not needed
        return
    reason = _reason(request, result, first=first) if result.is_failed() else None
    meeting.shutdown()  # but not when this machine was asked to leave: it may come again
    if reason:
        raise FranklinError(reason)


def _reason(request: TrainRequest, result: RunResult, *, first: bool) -> str:
    """Why it failed: what a rank has answered, or else how this machine's ranks ended.

    The first machine makes that the answer. Another one does so if the first does not: its ranks may have failed for
    want of those there, or those there may wait for its ranks.
    """
    deadline = time.monotonic() + (0 if first else GRACE_SECONDS + MISTAKE_SECONDS)
    while not (found := answered(request.answer)) and time.monotonic() < deadline:
        time.sleep(MONITOR_SECONDS)
    if mistake := found.get("error"):
        return str(mistake)
    times = torchrun(request).restarts + 1
    often = f"{times} times in a row without getting further; the last time, " if times > 1 else ""
    reason = f"training failed {often}{told(result.failures)}"
    if not first and not found:
        answer(request.answer, {"error": reason})
    return reason


def torchrun(request: TrainRequest) -> Torchrun:
    """The launcher of a training that this module launches."""
    if not isinstance(request.launcher, Torchrun):
        raise TypeError(f"launcher={request.launcher.name} is another one's business")
    return request.launcher


def told(failures: Mapping[int, ProcessFailure]) -> str:
    """Why ranks failed: the one that was killed, or the first to raise; the others failed for want of it."""

    def order(rank: int) -> tuple[bool, int]:
        failure = failures[rank]
        return failure.exitcode >= 0 or failure.exitcode == -signal.SIGTERM, failure.timestamp

    rank = min(failures, key=order)
    failure = failures[rank]
    message: Any = failure.message
    if failure.exitcode < 0:
        reason = f"was ended by {failure.signal_name()}"
    elif isinstance(message, dict):
        reason = f"raised {message['message'].splitlines()[0]}"
    else:
        reason = f"ended with exit status {failure.exitcode}"
    return f"rank {rank} on {socket.gethostname()} {reason}"
