"""Which rows an epoch gives to which rank, and when: arithmetic alone, no row is touched.

A split is made of units, which are row groups, or smaller chunks of rows. An epoch lays them end to end in an order
drawn from (seed, epoch). These `R` rows are one stream for all ranks where every rank has all rows at hand: each of its
batches is a step, and rank `r` of `W` takes its part of it, so steps are the same however many ranks there are. Where
ranks read for themselves, each has a stream of its own, the rows `[r * R // W, (r + 1) * R // W)`. A stream is cut into
windows of whole batches, and the rows of a window are permuted. Without `shuffle`, all stays as in the files.

Tail rule: every rank has the same number of batches, whose sizes differ by at most one row, so there is no short last
batch, no row is dropped and none is seen twice. All ranks together take at most `batch_size` rows in a step, or a row
more for each rank where that is the only way to give each of them one.

An epoch that goes on with another batch size, or where ranks have streams of their own with another number of ranks,
begins a new leg: what the streams have left is laid end to end, in the order of the ranks, and dealt again by the same
rule. Only when fewer rows are left than there are ranks, some ranks get one batch without a row.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.feeds.units import Rows, Stretch, Units


class Leg(NamedTuple):
    """How far an epoch went: `step` steps of `batch_size` rows over all of `world_size` ranks together."""

    world_size: int
    batch_size: int
    step: int


class Span(NamedTuple):
    """Rows `[low, high)` of the stream of rank `stream` of an epoch's first leg."""

    stream: int
    low: int
    high: int


class Share(NamedTuple):
    """What a stream gives in a leg: spans in order, in so many batches."""

    spans: tuple[Span, ...]
    steps: int

    @property
    def rows(self) -> int:
        """Rows of all spans."""
        return sum(span.high - span.low for span in self.spans)

    def cut(self, step: int) -> int:
        """Rows before batch number `step`."""
        return step * self.rows // max(1, self.steps)  # nothing left has no step

    def between(self, low: int, high: int) -> tuple[Span, ...]:
        """The spans of the rows `[low, high)` of this share."""
        return tuple(_between(self.spans, low, high))


class Visit(NamedTuple):
    """Rows `[low, high)` of a permuted window, which is the rows `[start, stop)` of the units laid end to end."""

    start: int
    stop: int
    key: tuple[int, ...]
    low: int
    high: int

    def permutation(self) -> Tensor:
        """Where each row of the permuted window comes from."""
        generator = torch.Generator().manual_seed(int(np.random.SeedSequence(self.key).generate_state(1)[0]))
        return torch.randperm(self.stop - self.start, generator=generator)


class Order:
    """One epoch."""

    def __init__(
        self,
        units: Units,
        *,
        seed: int,
        epoch: int,
        shuffle: bool,
        window_rows: int,
        legs: Sequence[Leg],
        shared: bool,
    ) -> None:
        """Deal the rows of a split.

        Args:
            units: of the split.
            seed: of the order.
            epoch: whose order.
            shuffle: whether to permute units, and rows in windows.
            window_rows: rows of a window, but at least one batch.
            legs: the legs of the epoch; of the last one, `step` is not looked at.
            shared: whether all ranks take their parts of one stream.

        """
        self._laid = units.lay(seed, epoch, shuffle=shuffle)
        self._key = (seed, epoch, 1 if shared else legs[0].world_size)
        self._window_rows = window_rows
        self._streams = deal([Span(0, 0, units.rows)], legs[0], shared=shared)
        self.shares = [Share((Span(rank, 0, share.rows),), share.steps) for rank, share in enumerate(self._streams)]
        for done, following in pairwise(legs):
            left = [span for share in self.shares for span in share.between(share.cut(done.step), share.rows)]
            self.shares = deal(left, following, shared=shared)

    @property
    def steps(self) -> int:
        """Steps of the last leg, the same for every rank."""
        return self.shares[0].steps

    def between(self, start: int, stop: int) -> Stretch:
        """Find the units that hold the rows at the positions `[start, stop)`."""
        return self._laid.between(start, stop)

    def rows(self, start: int, stop: int) -> Tensor:
        """Where the rows at the positions `[start, stop)` are in the split's files, counted from its first row."""
        _, firsts, starts = self.between(start, stop)
        cuts = np.clip(starts, start, stop)
        return torch.from_numpy(np.arange(start, stop) + np.repeat(firsts - starts[:-1], np.diff(cuts)))

    def visits(self, share: Share, step: int) -> Iterator[Visit]:
        """What is read of a share from its batch number `step` on."""
        for stream, low, high in share.between(share.cut(step), share.rows):
            first = self._streams[stream].spans[0].low
            bounds = self._windows(stream)
            for number in range(int(np.searchsorted(bounds, low, side="right")) - 1, len(bounds) - 1):
                start, stop = int(bounds[number]), int(bounds[number + 1])
                if start >= high:
                    break
                inside = max(low - start, 0), min(high, stop) - start
                yield Visit(first + start, first + stop, (*self._key, stream, number), *inside)

    def _windows(self, stream: int) -> Rows:
        """Bounds of a stream's windows, of whole batches of the first leg."""
        share = self._streams[stream]
        batches = max(1, self._window_rows // ceil_div(share.rows, share.steps))
        windows = ceil_div(share.steps, batches)
        return np.arange(windows + 1) * share.steps // windows * share.rows // share.steps


def deal(spans: Sequence[Span], leg: Leg, *, shared: bool) -> list[Share]:
    """Deal rows to ranks, evenly and in order; or to all of them together, who then take parts of every batch."""
    rows = sum(span.high - span.low for span in spans)
    steps = min(ceil_div(rows, leg.batch_size), max(1, rows // leg.world_size))
    streams = 1 if shared else leg.world_size
    cuts = [stream * rows // streams for stream in range(streams + 1)]
    return [Share(tuple(_between(spans, low, high)), steps) for low, high in pairwise(cuts)]


def ceil_div(dividend: int, divisor: int) -> int:
    """Quotient, rounded up."""
    return -(-dividend // divisor)


def _between(spans: Sequence[Span], low: int, high: int) -> Iterator[Span]:
    """Cut the rows `[low, high)` out of spans laid end to end."""
    start = 0
    for span in spans:
        rows = span.high - span.low
        begin, end = max(low - start, 0), min(high - start, rows)
        if begin < end:
            yield Span(span.stream, span.low + begin, span.low + end)
        start += rows
