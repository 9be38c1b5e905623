"""What fits of boosted trees have in common: they stop by rows that they hold out."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Generic, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from models.candidates.candidate import Candidate, Fitted, Value
from models.candidates.learning import Classes, parts, settled, threads_for
from models.candidates.rows import Columns, Rows
from models.evaluation.metrics import Floats, Ints

HELD = 0.1
ROUNDS_OF_FEW = 50  # where there are too few rows to hold some out
FEWEST_COLUMNS = 8  # that a tree, or a split, may look at by its own settings: else it sees too few of them together
FitOf = TypeVar("FitOf", bound=Fitted)


@dataclass(frozen=True)
class Job:
    """A fit to be done.

    Attributes:
        rows: all of them.
        label: `(rows,)` places of classes, or values.
        classes: that were seen; None: values.
        learn: places of the rows to learn from.
        held: places of those to stop by; none: `rounds` says when.
        rounds: to train where none are held.
        settings: all of them.
        seed: of what is drawn.
        threads: to take.

    """

    rows: Rows
    label: Floats | Ints
    classes: Classes | None
    learn: Ints
    held: Ints
    rounds: int
    settings: Mapping[str, float]
    seed: int
    threads: int


class Boosted(Candidate, Generic[FitOf]):
    """Settings, classes and held-out rows around a library's boosting.

    Attributes:
        own: its settings, such as the share of columns that a tree may look at (those of eight at least).
        of_values: those that are others in a regression: there, a column that says most (of flights, the distance) is
            missed in each tree that does not see it.

    """

    family = "boosting"
    tasks = frozenset({"binary", "multiclass", "regression"})
    own: ClassVar[Mapping[str, float]]
    of_values: ClassVar[Mapping[str, float]] = {}

    def fit(self, rows: Rows, *, seed: int, values: Mapping[str, Value], threads: int) -> FitOf:
        """Learn from nine tenths of the rows as long as the others' loss falls, then from all of them for as long.

        The newest rows, which are held out of days, say most of those to come: on flights, the second fit raised AUC
        by 0.01.

        Raises:
            FranklinError: all rows are of one class.

        """
        settings = settled(self.title, self.settings(rows.columns), values)
        classes = None if rows.columns.task == "regression" else Classes.of(rows, self.title)
        label = rows.label if classes is None else classes.places(rows)
        learn, held = parts(rows, HELD, seed)
        few = threads_for(rows, threads)
        job = Job(rows, label, classes, learn, held, ROUNDS_OF_FEW, settings, seed, few)
        with threadpool_limits(few):
            found = self._train(job)
            if not len(held):
                return found
            return self._train(replace(job, learn=np.arange(len(rows)), held=held[:0], rounds=self._rounds(found)))

    def settings(self, columns: Columns) -> dict[str, float]:
        """Give its own settings for such columns and such a label."""
        own = {**self.own, **self.of_values} if columns.task == "regression" else dict(self.own)
        own["columns"] = min(1.0, max(own["columns"], FEWEST_COLUMNS / max(1, columns.width)))
        return own

    @abstractmethod
    def _train(self, job: Job) -> FitOf: ...

    @abstractmethod
    def _rounds(self, fitted: FitOf) -> int:
        """Rounds until the held-out rows' loss was least."""
        ...
