"""What fits have in common: classes that were seen, settings, rows to stop by, threads."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from conf.errors import FranklinError, closest
from conf.selecting import Value
from models.candidates.holding import hold_out
from models.candidates.rows import Columns, Rows
from models.evaluation.metrics import Floats, Ints

FEW_ROWS = 5000  # below it, threads of boosting wait for one another longer than they work
PAIR = 2
FILE = "classes.json"


@dataclass(frozen=True)
class Classes:
    """Classes of the rows that a fit has seen.

    Attributes:
        seen: their codes, rising.
        count: how many there are in all.

    """

    seen: Ints
    count: int

    @classmethod
    def of(cls, rows: Rows, title: str) -> "Classes":
        """Find those of rows.

        Raises:
            FranklinError: there is one alone, from which `title` can't learn.

        """
        seen = np.unique(rows.label.astype(np.int64))
        if len(seen) < PAIR:
            names = ", ".join(rows.columns.classes[code] for code in seen) or "none"
            raise FranklinError(
                f"{title} needs rows of two classes, and all {len(rows)} are of one ({names}); "
                "take more rows, or another label"
            )
        return cls(seen, len(rows.columns.classes))

    def places(self, rows: Rows) -> Ints:
        """Give each row's class as its place among those seen."""
        return np.searchsorted(self.seen, rows.label.astype(np.int64))

    def spread(self, probabilities: Floats) -> Floats:
        """Turn `(rows, seen)` into scores; a class that was not seen has probability 0."""
        if self.count == PAIR:
            return np.ascontiguousarray(probabilities[:, 1], np.float64)
        scores = np.zeros((len(probabilities), self.count))
        scores[:, self.seen] = probabilities
        return scores

    def save(self, folder: Path) -> None:
        """Write them as JSON."""
        (folder / FILE).write_text(json.dumps({"seen": self.seen.tolist(), "count": self.count}), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, columns: Columns) -> "Classes | None":
        """Read what `save` has written; None of a regression, which has none."""
        if columns.task == "regression":
            return None
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return cls(np.asarray(found["seen"], np.int64), found["count"])


def settled(title: str, own: Mapping[str, float], values: Mapping[str, Value]) -> dict[str, float]:
    """Give a candidate's own settings, changed by `values`.

    Raises:
        FranklinError: one is unknown, or no number.

    """
    for name, value in values.items():
        if name not in own:
            guess = closest(name, own)
            hint = f"did you mean '{guess}'?" if guess else f"there are {', '.join(own) or 'none'}"
            raise FranklinError(f"{title} has no setting '{name}'; {hint}")
        if not isinstance(value, int | float):
            raise FranklinError(f"{title}: {name}={value} is no number")
    return {name: float(values.get(name, value)) for name, value in own.items()}  # type: ignore[arg-type]  # seen above


def parts(rows: Rows, share: float, seed: int) -> tuple[Ints, Ints]:
    """Part places into those to learn from and those to stop by, which may be none.

    As `hold_out` does, but classes that it leaves no row of to learn from are learned from, all their rows.
    """
    if len(rows) < PAIR:
        return np.arange(len(rows)), np.arange(0)
    learn, held = hold_out(rows, share, seed)
    if rows.columns.task == "regression":
        return learn, held
    known = np.isin(rows.label[held], rows.label[learn])
    return np.sort(np.concatenate([learn, held[~known]])), held[known]


def threads_for(rows: Rows, threads: int) -> int:
    """Threads that pay."""
    return 1 if len(rows) < FEW_ROWS else threads


def some(places: Ints, most: int, generator: np.random.Generator) -> Ints:
    """Draw at most so many of the places, in their order."""
    return places if len(places) <= most else np.sort(generator.choice(places, most, replace=False))
