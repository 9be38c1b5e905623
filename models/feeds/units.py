"""Units: runs of rows that lie together in a split's files and that an epoch permutes first."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
MOST_DRAWN = 2**20  # units that are permuted at a time: eight megabytes


class Stretch(NamedTuple):
    """Some units that follow each other in an epoch.

    Attributes:
        units: `(n,)` their numbers.
        firsts: `(n,)` the first row of each, counted from the first row of the split.
        starts: `(n + 1,)` the position in the epoch at which each begins, and at which the last one ends.

    """

    units: Rows
    firsts: Rows
    starts: Rows


class Laid(Protocol):
    """Units laid end to end in the order of an epoch."""

    def between(self, start: int, stop: int) -> Stretch:
        """Find the units that hold the positions `[start, stop)`."""


class Units(Protocol):
    """The units of a split.

    Attributes:
        rows: of all units together.

    """

    rows: int

    def __len__(self) -> int:
        """Count the units."""

    def lay(self, seed: int, epoch: int, *, shuffle: bool) -> Laid:
        """Lay the units end to end, in an order drawn from (seed, epoch), or as they are."""


class Listed:
    """Units of any size."""

    def __init__(self, sizes: Sequence[int]) -> None:
        """Take the rows of each unit."""
        self._sizes = np.asarray(sizes, dtype=np.int64)
        self.rows = int(self._sizes.sum())

    def __len__(self) -> int:
        """Count the units."""
        return len(self._sizes)

    def lay(self, seed: int, epoch: int, *, shuffle: bool) -> "_LaidListed":
        """Lay the units end to end."""
        return _LaidListed(self._sizes, _draw(len(self), [seed, epoch]) if shuffle else np.arange(len(self)))


class _LaidListed:
    def __init__(self, sizes: Rows, units: Rows) -> None:
        self._units = units
        self._firsts = (np.cumsum(sizes) - sizes)[units]
        self._starts: Rows = np.concatenate([[0], np.cumsum(sizes[units])])

    def between(self, start: int, stop: int) -> Stretch:
        first = int(np.searchsorted(self._starts, start, side="right")) - 1
        last = int(np.searchsorted(self._starts, stop, side="left"))
        return Stretch(self._units[first:last], self._firsts[first:last], self._starts[first : last + 1])


class Even:
    """Units of `size` rows, the last one of what is left. Nothing is kept of them, however many there are."""

    def __init__(self, rows: int, size: int) -> None:
        """Cut so many rows."""
        self.rows, self.size = rows, size

    def __len__(self) -> int:
        """Count the units."""
        return (self.rows + self.size - 1) // self.size

    def lay(self, seed: int, epoch: int, *, shuffle: bool) -> Laid:
        """Lay the units end to end.

        Many are dealt to shares like cards, and permuted share by share, so each share has units of all the split.
        """
        return _LaidEven(self, (seed, epoch) if shuffle else None)


class _LaidEven:
    def __init__(self, units: Even, key: tuple[int, int] | None) -> None:
        self._rows, self._size, self._count, self._key = units.rows, units.size, len(units), key
        self._shares = -(-self._count // MOST_DRAWN) if key else 1
        self._drawn: tuple[int, Rows] = (-1, np.empty(0, np.int64))
        self._short = units.size * self._count - units.rows  # rows that the last unit lacks
        self._short_at = self._place_of(self._count - 1)

    def between(self, start: int, stop: int) -> Stretch:
        first, last = self._place_at(start), self._place_at(stop - 1)
        places = np.arange(first, last + 2)
        starts = places * self._size - self._short * (places > self._short_at)
        units = self._units(first, last + 1)
        return Stretch(units, units * self._size, starts)

    def _place_at(self, position: int) -> int:
        """The place among the units of the one that holds a position."""
        before_short = position < (self._short_at + 1) * self._size - self._short
        return (position if before_short else position + self._short) // self._size

    def _units(self, first: int, last: int) -> Rows:
        """The units at the places `[first, last)`."""
        if self._key is None:
            return np.arange(first, last)
        found = []
        for share in range(self._shares):
            low, high = max(first, self._bound(share)), min(last, self._bound(share + 1))
            if low < high:
                bound = self._bound(share)
                found.append(self._share(share)[low - bound : high - bound] * self._shares + share)
        return np.concatenate(found)

    def _place_of(self, unit: int) -> int:
        if self._key is None:
            return unit
        within, share = divmod(unit, self._shares)
        return self._bound(share) + int(np.flatnonzero(self._share(share) == within)[0])

    def _bound(self, share: int) -> int:
        """The place of the first unit of a share."""
        each, more = divmod(self._count, self._shares)
        return share * each + min(share, more)

    def _share(self, share: int) -> Rows:
        """The permutation of a share; the last one that was drawn is kept."""
        if self._drawn[0] != share:
            key = [*(self._key or ()), *([share] if share else [])]
            self._drawn = share, _draw(self._bound(share + 1) - self._bound(share), key)
        return self._drawn[1]


def _draw(units: int, key: Sequence[int]) -> Rows:
    return np.random.default_rng(key).permutation(units)
