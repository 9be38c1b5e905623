"""The forms in which libraries want rows: numbers beside ordinal codes, or one-hot levels."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.candidates.rows import Columns, Rows
from models.evaluation.metrics import Floats, Ints

FILE = "levels.npz"


@dataclass(frozen=True)
class Levels:
    """Levels that the codes of each categorical column have become.

    Level 0 is that of codes with few rows or none, so of those that predictions alone have.

    Attributes:
        tables: for each column, `(cardinality,)` level of each code.

    """

    tables: tuple[Ints, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """Levels of each column, level 0 included."""
        return tuple(int(table.max(initial=0)) + 1 for table in self.tables)

    def of(self, rows: Rows) -> NDArray[np.int32]:
        """Give each row's levels, `(rows, codes)`."""
        found = np.empty(rows.codes.shape, np.int32)
        for place, table in enumerate(self.tables):
            found[:, place] = table[rows.codes[:, place]]
        return found

    def table(self, rows: Rows) -> NDArray[np.float32]:
        """Numbers, then levels as numbers: `(rows, numbers + codes)`."""
        return np.concatenate([rows.numbers, self.of(rows).astype(np.float32)], axis=1)

    def save(self, folder: Path) -> None:
        """Write them as NumPy's arrays."""
        np.savez(folder / FILE, *self.tables)

    @classmethod
    def load(cls, folder: Path, columns: Columns) -> "Levels":
        """Read what `save` has written."""
        with np.load(folder / FILE, allow_pickle=False) as found:
            return cls(tuple(found[f"arr_{place}"] for place in range(len(columns.codes))))


def levels_of(rows: Rows, *, least: int, most: int) -> Levels:
    """Give a level to each code of at least `least` rows, at most `most` a column: the most frequent ones."""
    tables = []
    for place, cardinality in enumerate(rows.columns.cardinalities):
        counts = np.bincount(rows.codes[:, place], minlength=cardinality)
        frequent = np.argsort(-counts, kind="stable")[:most]
        kept = np.sort(frequent[counts[frequent] >= least])
        table = np.zeros(cardinality, np.int64)
        table[kept] = np.arange(1, len(kept) + 1)
        tables.append(table)
    return Levels(tuple(tables))


def one_hot(rows: Rows, levels: Levels) -> Floats | sparse.csr_array:
    """Numbers, then a column of 0 and 1 for each level: `(rows, numbers + levels)`, sparse if there are levels."""
    if not levels.tables:
        return rows.numbers.astype(np.float64)
    numbers = rows.numbers.shape[1]
    each = numbers + len(levels.tables)  # entries of a row
    starts = numbers + np.concatenate([[0], np.cumsum(levels.counts)])
    places = np.empty((len(rows), each), np.int32)
    places[:, :numbers] = np.arange(numbers)
    places[:, numbers:] = levels.of(rows) + starts[:-1].astype(np.int32)
    entries = np.ones((len(rows), each))
    entries[:, :numbers] = rows.numbers
    ends = np.arange(len(rows) + 1, dtype=np.int32 if places.size < 2**31 else np.int64) * each
    return sparse.csr_array((entries.ravel(), places.ravel(), ends), shape=(len(rows), int(starts[-1])))


def ordinal(rows: Rows) -> NDArray[np.float32]:
    """Numbers, then codes as numbers: `(rows, numbers + codes)`; float32 holds codes below 2**24 as they are."""
    found = np.empty((len(rows), rows.columns.width), np.float32)
    found[:, : rows.numbers.shape[1]] = rows.numbers
    found[:, rows.numbers.shape[1] :] = rows.codes
    return found
