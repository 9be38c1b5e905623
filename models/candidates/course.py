"""What a contest goes over: rows, folds, and the sizes of learning curves."""

from dataclasses import dataclass

from conf.contests import Contest
from models.candidates.budget import FEWEST_SECONDS
from models.candidates.folds import Fold, samples
from models.candidates.rows import Rows
from models.evaluation.metrics import Ints


@dataclass(frozen=True)
class Course:
    """What a contest goes over.

    Attributes:
        contest: as it was asked.
        pool: rows of train and validation.
        folds: of the pool; the last one is that of learning curves.
        seed: of samples.
        candidates: how many take part.

    """

    contest: Contest
    pool: Rows
    folds: tuple[Fold, ...]
    seed: int
    candidates: int

    def sizes(self) -> list[Ints]:
        """Rows of each size below all of the last fold."""
        return samples(self.pool, self.folds[-1], self.contest.sizes, self.seed)

    def some(self, count: int) -> Ints:
        """So few rows of the last fold, within those of the smallest size."""
        learn = self.folds[-1].learn
        return self.part(self.folds[-1], count / len(learn))

    def part(self, fold: Fold, share: float) -> Ints:
        """A share of a fold's rows to learn from."""
        found = samples(self.pool, fold, [share], self.seed) if share < 1 else []
        return found[0] if found else fold.learn

    @property
    def first_seconds(self) -> float:
        """Seconds for a candidate of which nothing is known: one that hangs twice has cost an equal share of all."""
        equal = self.contest.budget_seconds / 2 / self.candidates
        return min(self.contest.fit_seconds, max(FEWEST_SECONDS, equal))
