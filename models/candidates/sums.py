"""Weighted sums of trees, as MLlib boosts them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

from models.candidates.forms import ordinal
from models.candidates.learning import Classes
from models.candidates.rows import Columns, Rows
from models.candidates.trees import Trees
from models.evaluation.metrics import Floats

FILE = "weights.npy"


@dataclass(frozen=True)
class Sum:
    """Trees with weights; of two classes, the sum is half the log-odds of the second (Friedman 2001, section 4.5)."""

    grown: list[Any]
    weights: Floats
    classes: Classes | None

    def predict(self, rows: Rows) -> Floats:
        """Give scores, `(rows,)` or `(rows, classes)`, tree by tree in this thread."""
        table, total = ordinal(rows), np.zeros(len(rows))
        for each, weight in zip(self.grown, self.weights, strict=True):
            total += weight * each.predict(table)[:, 0]
        if self.classes is None:
            return total
        second = expit(2 * total)
        return self.classes.spread(np.stack([1 - second, second], axis=1))

    def save(self, folder: Path) -> None:
        """Write trees as `Trees` does, and their weights."""
        Trees(self.grown, self.classes).save(folder)
        np.save(folder / FILE, self.weights)

    @classmethod
    def load(cls, folder: Path, columns: Columns) -> "Sum":
        """Read what `save` has written."""
        trees = Trees.load(folder, columns)
        return cls(trees.grown, np.load(folder / FILE, allow_pickle=False), trees.classes)
