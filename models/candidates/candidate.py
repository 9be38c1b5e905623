"""The contract of everything that takes part in a contest."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Protocol

from conf.contests import CANDIDATES, CandidateName, Family
from conf.data import Task
from conf.schema import Choices, Range
from conf.selecting import Value, Values
from models.candidates.rows import Columns, Rows
from models.evaluation.metrics import Floats

Space = Mapping[str, Range | Choices]


class Fitted(Protocol):
    """A candidate that has learned."""

    def predict(self, rows: Rows) -> Floats:
        """Give scores as `models.evaluation.metrics.judge` takes them; the rows' labels are not looked at.

        `(rows,)` probability of class 1 (binary), `(rows, classes)` probabilities (multiclass), or `(rows,)` values in
        the label's unit (regression).
        """
        ...

    def save(self, folder: Path) -> None:
        """Write all that `Candidate.load` needs into an empty folder, without pickle."""
        ...


class Candidate(ABC):
    """Anything with fit and predict.

    Attributes:
        name: as in `conf.contests.CANDIDATES`, whose order is that of simplicity. Of a class, but one for all networks.
        title: for people.
        family: whose assumptions it shares.
        tasks: that it is for.
        alone: whether a fit takes several processes, so that no other is to run beside it.
        imports: modules that its fits would each import, so whoever forks for them imports those before.

    """

    name: CandidateName
    title: str
    family: ClassVar[Family]
    tasks: ClassVar[frozenset[Task]]
    imports: tuple[str, ...] = ()
    alone = False

    @property
    def simplicity(self) -> int:
        """Place on the ladder; 0 is the simplest."""
        return CANDIDATES.index(self.name)

    def suits(self, columns: Columns) -> bool:
        """Whether it can learn from such columns."""
        return columns.task in self.tasks

    def space(self, columns: Columns) -> Space:  # noqa: ARG002 -- some depend on it
        """Give the settings to search, each with its range; {}: there are none."""
        return {}

    def work(self, rows: int) -> float:
        """Give the work of a fit on so many rows, of which ratios alone mean something: as it grows with rows."""
        return rows

    @abstractmethod
    def fit(self, rows: Rows, *, seed: int, values: Mapping[str, Value], threads: int) -> Fitted:
        """Learn.

        Args:
            rows: to learn from; what stops early holds some of them out by itself (`models.candidates.holding`).
            seed: of all that is drawn.
            values: settings of `space`; those that are missing are the candidate's own.
            threads: of the processor, at most.

        Raises:
            FranklinError: these rows can't be learned from, such as those of one class alone.

        """

    @abstractmethod
    def load(self, folder: Path, columns: Columns) -> Fitted:
        """Read what `Fitted.save` has written."""


__all__ = ["Candidate", "Fitted", "Space", "Value", "Values"]
