"""Who takes which rows of a step, where all ranks have them at hand."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Protocol


class Division(Protocol):
    """Says which rows of each step are this rank's. All ranks together take every row once."""

    def begin(self, step: int, steps: int) -> None:
        """Hear that batches are read from number `step` on, up to `steps`."""

    def part(self, step: int, rows: int) -> tuple[int, int]:
        """Give the rows `[low, high)` of step number `step`, which has so many; asked when its batch is wanted."""


class Even:
    """Every rank takes as many rows as any other, or one more."""

    def __init__(self, rank: int, ranks: int) -> None:
        """Take the part of rank `rank` of so many."""
        self.rank, self.ranks = rank, ranks

    def begin(self, step: int, steps: int) -> None:
        """Do nothing: it is the same in every step."""

    def part(self, step: int, rows: int) -> tuple[int, int]:  # noqa: ARG002 -- as a division has it
        """Give this rank's rows."""
        return self.rank * rows // self.ranks, (self.rank + 1) * rows // self.ranks


class Portions(Even):
    """Ranks take rows in proportion to something that may change between steps; each takes at least one if it can."""

    def __init__(self, rank: int, ranks: int) -> None:
        """Begin with equal portions."""
        super().__init__(rank, ranks)
        self._ends = [0.0, *((number + 1) / ranks for number in range(ranks))]

    def change(self, weights: Sequence[float]) -> None:
        """Share in proportion to `weights`, the same on every rank, from the next batch on."""
        whole = sum(weights)
        self._ends = [0.0, *(end / whole for end in accumulate(weights))]

    def part(self, step: int, rows: int) -> tuple[int, int]:
        """Give this rank's rows."""
        if rows < self.ranks:
            return super().part(step, rows)
        return self._cut(self.rank, rows), self._cut(self.rank + 1, rows)

    def _cut(self, rank: int, rows: int) -> int:
        """Rows of all ranks before `rank`."""
        return rows if rank == self.ranks else rank + int(self._ends[rank] * (rows - self.ranks))
