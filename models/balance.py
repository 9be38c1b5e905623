"""Fewer rows for slow ranks, so that all are done at the same time."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from models.feeds.division import Portions
from models.pace import Clock

FIRST = 3  # steps before it looks: they make buckets and states, and one is measured
EVERY = 5  # steps from one decision to the next
KEPT = 0.5  # of the last estimate; the rest is what the last steps were


class Balance(Callback):
    """Has every rank take rows in proportion to its speed, rows in a second of its own work.

    After every few steps each rank tells all others its speed in these steps, and after the next one, when they have
    heard it without waiting for one another, all decide alike. A portion that makes
    ranks equally fast stays as it is: where a step takes so long whatever its rows, several decisions lead there.
    A batch's weight says how many rows it has, so the average of gradients is that of the rows, whoever takes them.
    """

    def __init__(self, portions: Portions, clock: Clock) -> None:
        """Change `portions` by what `clock` says of this rank."""
        self._portions, self._clock = portions, clock
        self._steps, self._before = 0, clock.pace()
        self._speeds: list[float] = []
        self._coming: list[torch.Tensor] = []
        self._work: Any = None

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: object) -> None:  # noqa: ARG002 -- Lightning's
        """Decide, or say how fast this rank was, if it is time."""
        self._hear()
        self._steps += 1
        due = self._steps - FIRST
        if due < 0 or due % EVERY:
            return
        now = self._clock.pace()
        if due:
            mine = torch.tensor(now.since(self._before).rows_per_second, dtype=torch.float64)
            self._coming = [torch.zeros_like(mine) for _ in range(trainer.world_size)]
            self._work = torch.distributed.all_gather(self._coming, mine, async_op=True)
        self._before = now

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002 -- Lightning's
        """Hear what was said last, so that nobody ends in the middle of a word."""
        self._hear()

    def _hear(self) -> None:
        if self._work is None:
            return
        self._work.wait()
        self._work = None
        self._speeds = smoothed(self._speeds, [float(speed) for speed in self._coming])
        self._portions.change(self._speeds)


def smoothed(before: list[float], now: list[float]) -> list[float]:
    """What ranks' speeds are taken for, from what they were taken for and what they were now."""
    if not before:
        return now
    return [KEPT * old + (1 - KEPT) * new for old, new in zip(before, now, strict=True)]
