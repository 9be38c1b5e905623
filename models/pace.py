"""How fast each rank is, who waits for whom, and a rank that is slowed on purpose."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from conf.fault import Fault
from models.feeds.batch import Batch
from models.parallel.waiting import Waits


class Pace(NamedTuple):
    """What a rank has done: seconds of its own work, seconds in which it waited for others, steps, rows."""

    own: float
    waited: float
    steps: float
    rows: float

    def since(self, before: "Pace") -> "Pace":
        """What it has done since."""
        return Pace(*(now - then for now, then in zip(self, before, strict=True)))

    @property
    def rows_per_second(self) -> float:
        """Rows in a second of its own work."""
        return self.rows / self.own if self.own else 0.0


class Clock(Callback):
    """Takes the time of this rank's steps, and slows them if it is told to.

    A step goes from the end of the last one to its own: batch, forward and backward pass, optimizer, and the wait for
    others (`models.parallel.waiting`). All but the wait is the rank's own work. A rank that is slowed sleeps for
    `factor - 1` times its own work, so those who wait for it see a slower device, whatever the strategy. Ranks tell one
    another once an epoch.

    Attributes:
        metrics: of the last epoch, the same on every rank. For each rank R: `rank_R_step_seconds`, its own work in a
            step; `rank_R_wait_seconds`, its waiting in a step; `rank_R_rows_per_second`, rows in a second of its own
            work; `rank_R_rows_share`, of the rows of all ranks. And `idle_share`, of all ranks' time, in which they
            waited, which stands beside `conf.exchange.Plan.idle_share`; `straggler_share`, see there.

    """

    def __init__(self, waits: Waits, fault: Fault, rank: int) -> None:
        """Take the time of rank `rank`, of whose waiting `waits` knows."""
        self.metrics: dict[str, float] = {}
        self._waits, self._open = waits, ExitStack()
        self._delay = (fault.slow_factor or 1.0) - 1 if rank == fault.slow_rank else 0.0
        self._began = self._wall = 0.0
        self._steps = self._rows = 0
        self._elsewhere = self._then = self._before = 0.0  # seconds waited: not in steps; when steps ended; one began
        self._told = self._done = Pace(0, 0, 0, 0)

    def pace(self) -> Pace:
        """What this rank has done by the end of its last step; a GPU is waited for."""
        waited = self._waits.seconds - self._elsewhere
        return Pace(self._wall - waited, waited, self._steps, self._rows)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002 -- Lightning's
        """Begin; an epoch that a resumed training goes on with has no start of its own."""
        self._open.enter_context(self._waits.watched())
        self._begin()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002 -- Lightning's
        """Begin."""
        self._begin()

    def _begin(self) -> None:
        self._began, self._before = time.perf_counter(), self._waits.seconds
        self._elsewhere += self._before - self._then
        self._then = self._before

    def on_train_batch_end(
        self,
        trainer: Trainer,  # noqa: ARG002 -- Lightning's
        pl_module: LightningModule,  # noqa: ARG002
        outputs: Any,  # noqa: ARG002
        batch: Batch,
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """Count a step, after some sleep if this rank is slow."""
        if self._delay:
            waited = self._waits.seconds
            time.sleep(self._delay * max(0.0, time.perf_counter() - self._began - (waited - self._before)))
            self._before = waited
        now = time.perf_counter()
        self._wall += now - self._began
        self._began = now
        self._steps += len(batch.label) > 0
        self._rows += len(batch.label)

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002 -- Lightning's
        """Stop, once ranks have come together."""
        self._wall += time.perf_counter() - self._began
        self._done, self._then = self.pace(), self._waits.seconds

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002 -- Lightning's
        """Tell one another."""
        mine = torch.tensor(self._done.since(self._told), dtype=torch.float64)
        self._told = self._done
        paces = [Pace(*each) for each in trainer.strategy.all_gather(mine).view(-1, len(mine)).tolist()]
        rows = sum(pace.rows for pace in paces)
        self.metrics = {"idle_share": idle_share(paces), "straggler_share": straggler_share(paces)}
        for rank, pace in enumerate(paces):
            self.metrics |= {
                f"rank_{rank}_step_seconds": pace.own / max(1, pace.steps),
                f"rank_{rank}_wait_seconds": pace.waited / max(1, pace.steps),
                f"rank_{rank}_rows_per_second": pace.rows_per_second,
                f"rank_{rank}_rows_share": pace.rows / max(1, rows),
            }

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:  # noqa: ARG002 -- Lightning's
        """Look no longer at who waits."""
        self._open.close()


def idle_share(paces: Sequence[Pace]) -> float:
    """Share of all ranks' time in which they waited for others, or for what they exchanged."""
    waited = sum(pace.waited for pace in paces)
    all_of_it = waited + sum(pace.own for pace in paces)
    return waited / all_of_it if all_of_it else 0.0


def straggler_share(paces: Sequence[Pace]) -> float:
    """Share of all ranks' time that is lost to the slowest one.

    The slowest rank waits least, for the exchange alone. What others wait longer than it, they wait for it.
    """
    least = min(pace.waited for pace in paces)
    return idle_share([pace._replace(own=pace.own + least, waited=pace.waited - least) for pace in paces])
