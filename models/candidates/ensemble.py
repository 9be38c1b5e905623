"""An ensemble: the weighted mean of what several candidates say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import TypeAdapter

from conf.contests import CandidateName, Family
from conf.data import Task
from conf.errors import FranklinError
from conf.networks import NETWORKS
from models.candidates import named
from models.candidates.candidate import Candidate, Fitted, Value, Values
from models.candidates.fitted_network import FittedNetwork
from models.candidates.rows import Columns, Rows
from models.candidates.weighing import blend
from models.evaluation.metrics import Floats

FILE = "ensemble.json"
WEIGHTS: TypeAdapter[dict[CandidateName, float]] = TypeAdapter(dict[CandidateName, float])


@dataclass(frozen=True)
class Part:
    """A member as it is to be fitted.

    Attributes:
        candidate: who.
        weight: of its scores.
        values: its settings.
        rows: that it learns from, by chance; None: all.

    """

    candidate: Candidate
    weight: float
    values: Values
    rows: int | None = None


@dataclass(frozen=True)
class FittedEnsemble:
    """Members that have learned, and their weights, of sum 1."""

    members: Mapping[CandidateName, Fitted]
    weights: Mapping[CandidateName, float]

    def predict(self, rows: Rows) -> Floats:
        """Give the weighted mean of their scores, `(rows,)` or `(rows, classes)`."""
        scores = np.stack([np.asarray(each.predict(rows), np.float64) for each in self.members.values()])
        return blend(scores, np.array([self.weights[name] for name in self.members]))

    def save(self, folder: Path) -> None:
        """Write weights, and each member into a folder of its own."""
        for name, each in self.members.items():
            (folder / name).mkdir()
            each.save(folder / name)
        write_weights(folder, self.weights)


class Ensemble(Candidate):
    """Candidates that answer together; a contest finds who and with which weights."""

    name = "ensemble"
    title = "Ensemble"
    family: ClassVar[Family] = "ensemble"
    tasks: ClassVar[frozenset[Task]] = frozenset({"binary", "multiclass", "regression"})

    def __init__(self, parts: Sequence[Part] = ()) -> None:
        """Consist of these."""
        self._parts = parts

    def fit(self, rows: Rows, *, seed: int, values: Mapping[str, Value], threads: int) -> FittedEnsemble:
        """Fit the members one after the other.

        Raises:
            FranklinError: there is none, settings are given, which are each member's own, or a member's own error.

        """
        if not self._parts:
            raise FranklinError("an ensemble has the members that a contest has found, and there are none")
        if values:
            raise FranklinError(f"an ensemble has no setting '{next(iter(values))}'; its members have")
        members: dict[CandidateName, Fitted] = {}
        for part in self._parts:
            some = rows.draw(part.rows, seed)
            members[part.candidate.name] = part.candidate.fit(some, seed=seed, values=part.values, threads=threads)
        return FittedEnsemble(members, {part.candidate.name: part.weight for part in self._parts})

    def load(self, folder: Path, columns: Columns) -> FittedEnsemble:
        """Read weights, and each member."""
        weights = WEIGHTS.validate_json((folder / FILE).read_text(encoding="utf-8"))
        return FittedEnsemble({name: _loaded(name, folder / name, columns) for name in weights}, weights)


def write_weights(folder: Path, weights: Mapping[CandidateName, float]) -> None:
    """Say who is in an ensemble that is saved in `folder`."""
    (folder / FILE).write_bytes(WEIGHTS.dump_json(dict(weights)))


def _loaded(name: CandidateName, folder: Path, columns: Columns) -> Fitted:
    return FittedNetwork.load(folder) if name in NETWORKS else named(name).load(folder, columns)
