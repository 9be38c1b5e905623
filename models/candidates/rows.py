"""Rows as candidates see them: arrays of the feature set's encoded columns."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from conf.data import Task
from models.evaluation.metrics import Floats, Ints


@dataclass(frozen=True)
class Columns:
    """What the columns of rows are.

    Attributes:
        task: what is to be predicted.
        numbers: names of the numbers, standardised; those of a tensor laid flat are `NAME[i]`.
        codes: names of the categorical columns.
        cardinalities: how many codes each of these has, the reserved ones included (`conf.columns`).
        classes: names of the classes; () for a regression.
        where: what `Rows.where` counts: days since 1970, groups, or None.

    """

    task: Task
    numbers: tuple[str, ...]
    codes: tuple[str, ...]
    cardinalities: tuple[int, ...]
    classes: tuple[str, ...]
    where: str | None = None

    @property
    def width(self) -> int:
        """Columns in all."""
        return len(self.numbers) + len(self.codes)


@dataclass(frozen=True)
class Rows:
    """Some rows of a feature set.

    Attributes:
        columns: what they are.
        numbers: `(rows, numbers)` float32.
        codes: `(rows, codes)` int32.
        label: `(rows,)` float64: class codes, or values in the label's unit.
        where: `(rows,)` int64, the row's day (since 1970) or its group; None: rows belong nowhere.

    """

    columns: Columns
    numbers: NDArray[np.float32]
    codes: NDArray[np.int32]
    label: Floats
    where: Ints | None = None

    def __len__(self) -> int:
        """Rows."""
        return len(self.label)

    def take(self, places: Ints) -> "Rows":
        """Those rows, in that order."""
        where = None if self.where is None else self.where[places]
        return replace(
            self, numbers=self.numbers[places], codes=self.codes[places], label=self.label[places], where=where
        )

    def bare(self) -> "Rows":
        """The same rows without what is learned from: taking some of them copies label and place alone."""
        return replace(self, numbers=self.numbers[:, :0], codes=self.codes[:, :0])

    def draw(self, count: int | None, seed: int) -> "Rows":
        """So many rows by chance, in their order; all, if there are no more, or `count` is None."""
        if count is None or count >= len(self):
            return self
        return self.take(np.sort(np.random.default_rng(seed).choice(len(self), count, replace=False)))
