"""What stages of a pipeline send one another, under way while they work."""

from collections.abc import Callable
from enum import IntEnum
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed import P2POp, Work
from torch.distributed.pipelining import PipelineStage


class Way(IntEnum):
    """Which way a message goes: a state to the next stage, its gradient to the one before."""

    FORTH = 0
    BACK = 1


class Stage(PipelineStage):
    """One stage.

    torch's schedules begin to receive a message when they need it, and wait for what they send; gloo moves nothing
    before the receiver has begun, so both ranks stand still meanwhile. Here, on processors, a stage begins to receive
    all messages of a step when the step begins, and sends without waiting. A message is known by a tag of its own,
    since stages of the same two ranks get theirs in any order. The first step, in which torch makes the buffers, and
    steps on GPUs, whose NCCL knows no tags, go as torch has them.

    Attributes:
        early: whether messages of this step are received before they are needed.

    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Make a stage, as torch does."""
        super().__init__(*arguments, **options)
        self.early = self._known = False
        self._parts = 0
        self._coming: dict[tuple[Way, int], list[Work]] = {}
        self._sent: dict[Way, list[Work]] = {}

    def expect(self, parts: int) -> None:
        """Begin to receive what a step of so many parts brings; every stage of all ranks calls this before it."""
        self.early, self._known = self._known and self.device.type == "cpu", True
        self._parts = parts
        for part in range(parts) if self.early else ():
            for way, messages in ((Way.FORTH, super().get_fwd_recv_ops), (Way.BACK, super().get_bwd_recv_ops)):
                self._coming[way, part] = self._begin(messages(part), self.stage_index, way, part)

    def arrive(self, way: Way, part: int) -> None:
        """Wait for a message."""
        for work in self._coming.pop((way, part), []):
            work.wait()

    def leave(self) -> None:
        """Wait until all that was sent has arrived."""
        for way in Way:
            self._settle(way)

    def forward_one_chunk(self, fwd_chunk_id: int, *arguments: Any, **options: Any) -> Any:
        """Run the forward pass of a part."""
        self.arrive(Way.FORTH, fwd_chunk_id)
        return super().forward_one_chunk(fwd_chunk_id, *arguments, **options)

    def backward_one_chunk(self, bwd_chunk_id: int, *arguments: Any, **options: Any) -> None:
        """Run the backward pass of a part, outside of `autocast`, within which Lightning runs a training step."""
        self.arrive(Way.BACK, bwd_chunk_id)
        with torch.autocast(self.device.type, enabled=False):
            super().backward_one_chunk(bwd_chunk_id, *arguments, **options)

    def get_fwd_recv_ops(self, fwd_chunk_id: int) -> list[P2POp]:
        """Nothing that has begun already."""
        return [] if self.early else super().get_fwd_recv_ops(fwd_chunk_id)

    def get_bwd_recv_ops(self, bwd_chunk_id: int) -> list[P2POp]:
        """Nothing that has begun already."""
        return [] if self.early else super().get_bwd_recv_ops(bwd_chunk_id)

    def get_fwd_send_ops(self, fwd_chunk_id: int) -> list[P2POp]:
        """Send a part's state."""
        return self._send(super().get_fwd_send_ops, self.stage_index + 1, Way.FORTH, fwd_chunk_id)

    def get_bwd_send_ops(self, bwd_chunk_id: int) -> list[P2POp]:
        """Send the gradient of a part's state."""
        return self._send(super().get_bwd_send_ops, self.stage_index - 1, Way.BACK, bwd_chunk_id)

    def _send(self, messages: Callable[[int], list[P2POp]], stage: int, way: Way, part: int) -> list[P2POp]:
        """Begin to send, once the message before has arrived, as it mostly has, so that its memory is let go."""
        if not self.early:
            return messages(part)
        self._settle(way)
        self._sent[way] = self._begin(messages(part), stage, way, part)
        return []

    def _settle(self, way: Way) -> None:
        for work in self._sent.pop(way, []):
            work.wait()

    def _begin(self, messages: list[P2POp], stage: int, way: Way, part: int) -> list[Work]:
        """Begin to send or receive what `stage` gets."""
        tag = (stage * len(Way) + way) * self._parts + part
        begun = []
        for message in messages:
            peer = {"group_dst" if message.op is dist.isend else "group_src": message.group_peer}
            begun.append(message.op(message.tensor, group=message.group, tag=tag, **peer))
        return begun
