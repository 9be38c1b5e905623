"""What every fitted linear model is: weights of numbers, weights of codes, and an intercept."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import expit, softmax

from models.candidates.forms import Levels
from models.candidates.rows import Columns, Rows
from models.evaluation.metrics import Floats

FILE = "weights.npz"


@dataclass(frozen=True)
class Lines:
    """A fitted linear model.

    Attributes:
        columns: of the rows.
        levels: of their codes.
        weights: `(numbers + levels, outputs)`, as `models.candidates.forms.one_hot` has its columns. Outputs: the label
            in its unit (regression), the log-odds of class 1 (binary), or one logit for each class (multiclass).
        intercept: `(outputs,)`; of a class that was not seen, minus infinity.

    """

    columns: Columns
    levels: Levels
    weights: Floats
    intercept: Floats

    def predict(self, rows: Rows) -> Floats:
        """Give scores, `(rows,)` or `(rows, classes)`: the sums of weights, without a one-hot matrix."""
        numbers = rows.numbers.shape[1]
        found = rows.numbers.astype(np.float64) @ self.weights[:numbers] + self.intercept
        start = numbers
        for place, (table, count) in enumerate(zip(self.levels.tables, self.levels.counts, strict=True)):
            found += self.weights[start : start + count][table[rows.codes[:, place]]]
            start += count
        if self.columns.task == "multiclass":
            return np.asarray(softmax(found, axis=1), np.float64)
        return np.asarray(expit(found[:, 0]) if self.columns.task == "binary" else found[:, 0], np.float64)

    def coefficients(self) -> list[tuple[str, float]]:
        """Name and weight of each column: of a standardised number, or of a level against the mean of all.

        Those of a level are named `COLUMN=CODE`, and `COLUMN=rest` for codes of few rows. Of several classes, it is
        the weight that is largest in size.
        """
        largest = np.take_along_axis(self.weights, np.abs(self.weights).argmax(axis=1)[:, None], axis=1)[:, 0]
        return list(zip(self._names(), map(float, largest), strict=True))

    def save(self, folder: Path) -> None:
        """Write weights and levels as NumPy's arrays."""
        self.levels.save(folder)
        np.savez(folder / FILE, weights=self.weights, intercept=self.intercept)

    @classmethod
    def load(cls, folder: Path, columns: Columns) -> "Lines":
        """Read what `save` has written."""
        with np.load(folder / FILE, allow_pickle=False) as found:
            return cls(columns, Levels.load(folder, columns), found["weights"], found["intercept"])

    def _names(self) -> Iterator[str]:
        yield from self.columns.numbers
        for name, table, count in zip(self.columns.codes, self.levels.tables, self.levels.counts, strict=True):
            codes = np.zeros(count, np.int64)
            codes[table] = np.arange(len(table))
            yield f"{name}=rest"
            yield from (f"{name}={code}" for code in codes[1:])
