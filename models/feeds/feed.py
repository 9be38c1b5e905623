"""A feed: one rank's share of a split, as batches, from any source."""

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import Any, Protocol, cast

import torch
from torch import Tensor

from conf.errors import FranklinError
from models.feeds.batch import Batch
from models.feeds.division import Division, Even
from models.feeds.order import Leg, Order, Span, Visit, deal
from models.feeds.record import Record, Rows
from models.feeds.units import Units


class Source(Protocol):
    """Where a feed's rows come from.

    Attributes:
        name: what a person calls it.
        record: what a row is made of.
        shared: whether every rank has all rows at hand, so that all take their parts of the same batches.

    """

    name: str
    record: Record
    shared: bool

    @property
    def units(self) -> Units:
        """What an epoch permutes first."""

    @property
    def window_rows(self) -> int:
        """Rows that are then permuted together."""

    def load(self, order: Order, visits: Iterator[Visit], *, shuffle: bool) -> Generator[Rows]:
        """Give the rows of one visit after the other, permuted if `shuffle`."""


class Feed:
    """Batches of one rank.

    Which rows they hold, and when, is said by `models.feeds.order`: a pure function of seed, epoch, rank, world size,
    batch size and of the source's units and window. Iterating goes on at the next unseen batch and ends with its
    epoch; iterating again gives the next epoch.

    Attributes:
        waited: seconds that whoever iterates has waited for batches.

    Example:
        >>> feed = Feed(Stored(folder, manifest, "test", memory_bytes=2**28), batch_size=4096, shuffle=False)
        >>> logits = [network(*batch.inputs) for batch in feed]

    """

    def __init__(
        self,
        source: Source,
        *,
        batch_size: int,
        shuffle: bool,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        division: Division | None = None,
        device: torch.device | None = None,
    ) -> None:
        """Plan the feed; nothing is read yet.

        Args:
            source: the split.
            batch_size: rows of one step over all ranks together, at most.
            shuffle: whether to shuffle.
            seed: of the order.
            rank: this rank.
            world_size: number of ranks.
            division: of the rows of a step over ranks that have all at hand; None: evenly.
            device: GPU that batches go to; None: they stay in memory.

        Raises:
            FranklinError: the split has fewer rows than there are ranks.

        """
        self.waited = 0.0
        self._source, self._shuffle, self._seed, self._rank = source, shuffle, seed, rank
        self._division = division or Even(rank, world_size)
        self._rows, self._device = source.units.rows, device
        if self._rows < world_size:
            raise FranklinError(
                f"{source.name} has {self._rows} rows, too few for {world_size} ranks; "
                f"take strategy.world_size={max(1, self._rows)} or a larger dataset",
            )
        self._fresh = Leg(world_size, batch_size, 0)
        self._epoch, self._legs = 0, [self._fresh]

    def __len__(self) -> int:
        """Batches of a whole epoch, the same for every rank."""
        return deal([Span(0, 0, self._rows)], self._fresh, shared=self._source.shared)[0].steps

    def __iter__(self) -> Iterator[Batch]:
        """Give the batches of the current epoch that were not given yet."""
        return self.counted(self.batches())

    def counted(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Give batches that were read from here on, by whomever, and move on with each."""
        epoch, legs = self._epoch, tuple(self._legs)
        steps = self._order().steps
        for step, batch in enumerate(self._timed(batches), legs[-1].step + 1):
            if step < steps:
                self._epoch, self._legs = epoch, [*legs[:-1], legs[-1]._replace(step=step)]
            else:
                self.set_epoch(epoch + 1)
            yield batch

    def _timed(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        end = object()
        while True:
            began = time.perf_counter()
            batch = next(batches, end)
            self.waited += time.perf_counter() - began
            if batch is end:
                return
            yield cast("Batch", batch)

    def batches(self, skip: int = 0, every: int = 1) -> Iterator[Batch]:
        """Read the batches from here on, or every so many-th after `skip`; where the feed is does not change."""
        order, first = self._order(), self._legs[-1].step
        share, record = order.shares[0 if self._source.shared else self._rank], self._source.record
        self._division.begin(first, share.steps)
        with closing(self._source.load(order, order.visits(share, first), shuffle=self._shuffle)) as loaded:
            taker = _Taker(loaded, record.width)
            for step in range(first, share.steps):
                rows = share.cut(step + 1) - share.cut(step)
                low, high = self._division.part(step, rows) if self._source.shared else (0, rows)
                taker.skip(low)
                if (step - first) % every == skip:
                    words = self._placed(taker.take(high - low))
                    yield record.batch(words, self._weight(order, step, high - low))
                else:
                    taker.skip(high - low)
                taker.skip(rows - high)

    def _weight(self, order: Order, step: int, rows: int) -> float:
        """This rank's rows over the mean of all ranks'."""
        whole = sum(share.cut(step + 1) - share.cut(step) for share in order.shares)
        return rows * self._fresh.world_size / whole

    def _placed(self, words: Tensor) -> Tensor:
        """Rows where batches go: to a GPU in one copy, out of pinned memory, while it is at work on the last ones.

        A slice of columns is made contiguous first: pinned as it is, it would take all that lies between its columns.
        """
        if self._device is None:
            return words
        return words.contiguous().pin_memory().to(self._device, non_blocking=True)

    def set_epoch(self, epoch: int) -> None:
        """Go to the start of `epoch`, or stay where we are if that is in it."""
        if epoch != self._epoch:
            self._epoch, self._legs = epoch, [self._fresh]

    def state_dict(self) -> dict[str, Any]:
        """Where the next unseen batch is, the same on every rank."""
        return {"order": self._identity(), "epoch": self._epoch, "legs": [tuple(leg) for leg in self._legs]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on at the next unseen batch of `state`, also with another number of ranks or another batch size.

        Raises:
            FranklinError: the state is of rows in another order.

        """
        for name, here in self._identity().items():
            if (there := state["order"].get(name)) != here:
                raise FranklinError(
                    f"{self._source.name}: the position is that of another order, {name} was {there} and is {here}; "
                    "set it back, or start afresh"
                )
        legs = [Leg(*leg) for leg in state["legs"]]
        ours = [*legs[:-1], self._fresh._replace(step=legs[-1].step)]
        same = legs == ours or (self._source.shared and self._order(legs).steps == self._order(ours).steps)
        self._epoch, self._legs = state["epoch"], ours if same else [*legs, self._fresh]

    def _order(self, legs: Sequence[Leg] | None = None) -> Order:
        return Order(
            self._source.units,
            seed=self._seed,
            epoch=self._epoch,
            shuffle=self._shuffle,
            window_rows=self._source.window_rows,
            legs=legs or self._legs,
            shared=self._source.shared,
        )

    def _identity(self) -> dict[str, int]:
        """What the order of rows depends on, ranks and batches apart."""
        units, window = len(self._source.units), self._source.window_rows
        return {"rows": self._rows, "units": units, "window_rows": window, "seed": self._seed, "shuffle": self._shuffle}


class _Taker:
    """Takes so many rows at a time out of rows that come in other numbers."""

    def __init__(self, loaded: Iterator[Rows], width: int) -> None:
        self._loaded, self._width = loaded, width
        self._rows = self._empty = Rows(torch.empty(0, width, dtype=torch.int32))
        self._at = 0

    def take(self, rows: int) -> Tensor:
        """Take so many rows."""
        parts = [stretch.take(low, high) for stretch, low, high in self._pass(rows)]
        return parts[0] if len(parts) == 1 else torch.cat(parts) if parts else self._empty.words

    def skip(self, rows: int) -> None:
        """Pass over so many rows, none of which is gathered."""
        for _ in self._pass(rows):
            pass

    def _pass(self, rows: int) -> Iterator[tuple[Rows, int, int]]:
        while rows:
            if self._at == len(self._rows):
                self._rows = self._empty  # one window is let go before the next one comes
                self._rows, self._at = next(self._loaded), 0
            end = min(self._at + rows, len(self._rows))
            yield self._rows, self._at, end
            rows, self._at = rows - (end - self._at), end
