"""This rank's stages of a pipeline, and the schedules that send batches through them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed import ProcessGroup
from torch.distributed.pipelining import Schedule1F1B, ScheduleGPipe, ScheduleInterleaved1F1B

from models.feeds.batch import Batch
from models.parallel.messages import Stage
from models.parallel.parallelism import Loss

SCHEDULES: dict[str, Any] = {"gpipe": ScheduleGPipe, "1f1b": Schedule1F1B, "interleaved": ScheduleInterleaved1F1B}


class Stages:
    """Some stages of a pipeline.

    A batch is cut into parts of equal size, since stages have buffers of fixed sizes; copies of its last row fill it
    up, which add nothing to the loss and so have no gradients. Batches of other sizes have stages and buffers of their
    own: a feed has two, one row apart.

    Attributes:
        stage: what each is.

    """

    stage: type[Stage] = Stage

    def __init__(
        self, modules: Mapping[int, nn.Module], count: int, schedule: str, parts: int, group: ProcessGroup
    ) -> None:
        """Take what this rank has.

        Args:
            modules: stages by their number, each from a state to the next.
            count: how many stages there are on all ranks.
            schedule: a name out of `SCHEDULES`.
            parts: of a batch.
            group: the ranks; stage `s` is on the `s % ranks`-th.

        """
        self.first, self.last = 0 in modules, count - 1 in modules
        self._modules, self._count, self._kind, self._parts, self._group = modules, count, schedule, parts, group
        self._schedules: dict[tuple[int, bool], Any] = {}
        self._made: dict[tuple[int, bool], list[Stage]] = {}
        self._batch: Batch
        self._loss: Loss
        self._share = 1.0

    def learn(self, batch: Batch, loss: Loss, share: float) -> Tensor:
        """Add a share of the gradients of the mean loss of `batch`, and give it, or 0 where the last stage is not."""
        self._batch, self._loss, self._share = batch, loss, share
        schedule, rows, inputs = self._ready(batch, learn=True)
        losses: list[Tensor] = []
        places = torch.arange(rows) if self.last else None
        with self._messages(batch, learn=True):
            schedule.step(*inputs, target=places, losses=losses, return_outputs=False)
        return torch.stack(losses).sum().detach() / share if self.last else _nothing(batch)

    def judge(self, batch: Batch, loss: Loss) -> Tensor:
        """Give the mean loss of `batch` without gradients, or 0 where the last stage is not."""
        schedule, _, inputs = self._ready(batch, learn=False)
        with self._messages(batch, learn=False):
            outputs = schedule.step(*inputs)
        return loss(outputs[: len(batch.label)], batch) if self.last else _nothing(batch)

    @contextmanager
    def _messages(self, batch: Batch, *, learn: bool) -> Iterator[None]:
        """Have those of a step under way; after one that raises, ranks no longer agree on them, and end."""
        stages = self._made[self._part_rows(batch), learn]
        for stage in stages:
            stage.expect(self._parts)
        yield
        for stage in stages:
            stage.leave()

    def _part_rows(self, batch: Batch) -> int:
        return -(-len(batch.label) // self._parts)

    def _ready(self, batch: Batch, *, learn: bool) -> tuple[Any, int, list[Tensor]]:
        """The schedule for a batch, the rows that it is filled up to, and what its first stage takes."""
        part_rows = self._part_rows(batch)
        rows = part_rows * self._parts
        if (part_rows, learn) not in self._schedules:
            self._made[part_rows, learn] = stages = self._make(batch.label.device)
            self._schedules[part_rows, learn] = self._schedule(stages, learn=learn)
        return self._schedules[part_rows, learn], rows, [_fill(tensor, rows) for tensor in batch.inputs] * self.first

    def _make(self, device: torch.device) -> list[Stage]:
        return [
            self.stage(module, number, self._count, device, group=self._group)
            for number, module in self._modules.items()
        ]

    def _schedule(self, stages: list[Stage], *, learn: bool) -> Any:
        several = self._kind == "interleaved"
        kind = SCHEDULES[self._kind if learn or several else "gpipe"]  # which is all forward first
        return kind(stages if several else stages[0], self._parts, self._part if learn else None, scale_grads=False)

    def _part(self, outputs: Tensor, places: Tensor) -> Tensor:
        """What the rows at `places` of the batch add to a share of its mean loss."""
        batch, low = self._batch, int(places[0])
        high = max(low, min(len(batch.label), low + len(places)))
        tensors = tuple(tensor[low:high] for tensor in batch.tensors)
        rows = Batch(batch.numeric[low:high], batch.categorical[low:high], tensors, batch.label[low:high])
        return self._loss(outputs[: high - low], rows) * (self._share * (high - low) / len(batch.label))


def _fill(tensor: Tensor, rows: int) -> Tensor:
    missing = rows - len(tensor)
    return torch.cat((tensor, tensor[-1:].expand(missing, *tensor.shape[1:]))) if missing else tensor


def _nothing(batch: Batch) -> Tensor:
    return torch.zeros((), device=batch.label.device)
