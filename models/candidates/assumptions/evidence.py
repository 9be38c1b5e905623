"""What assumptions are looked at in: rows, held-out scores, and the journal of fits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from conf.contests import CandidateName, Family
from conf.data import Task
from conf.selecting import Fit
from models.candidates.rows import Columns, Rows
from models.evaluation.metrics import Floats, Ints, judge, main_metric

OUTPUTS = 5  # classes that have residuals of their own, the most frequent first


@dataclass(frozen=True)
class Held:
    """What a candidate said of rows that it had not learned from.

    Attributes:
        label: `(rows,)` class codes, or values in the label's unit.
        scores: as `models.evaluation.metrics.judge` takes them.
        places: `(rows,)` numbers of the rows in the pool.

    """

    label: Floats
    scores: Floats
    places: Ints


@dataclass(frozen=True)
class Evidence:
    """All that a check may look at.

    Attributes:
        pool: rows of train and validation.
        test: rows that no fold has seen.
        held: out-of-fold scores of each candidate that has them.
        families: of all candidates.
        fits: the journal.
        folder: where figures go.
        seed: of samples.

    """

    pool: Rows
    test: Rows
    held: Mapping[CandidateName, Held]
    families: Mapping[CandidateName, Family]
    fits: Sequence[Fit]
    folder: Path
    seed: int

    @property
    def task(self) -> Task:
        """What is predicted."""
        return self.pool.columns.task

    def sample(self, rows: int, most: int) -> Ints:
        """Places of at most so many of `rows`, in rising order; the same ones each time."""
        if rows <= most:
            return np.arange(rows)
        return np.sort(np.random.default_rng(self.seed).choice(rows, most, replace=False))

    @cached_property
    def ranking(self) -> list[CandidateName]:
        """Candidates with held-out scores, the best first."""
        metric = main_metric(self.task)

        def loss(name: CandidateName) -> float:
            held = self.held[name]
            value = judge(self.task, held.scores, held.label)(np.ones(len(held.label))).get(metric.name, np.nan)
            return np.inf if np.isnan(value) else (-value if metric.higher_is_better else value)

        known = [name for name, held in self.held.items() if len(held.label) and np.isfinite(held.scores).all()]
        return sorted(known, key=loss)

    def best(self, *families: Family) -> CandidateName:
        """The best candidate of these families, or of all.

        Raises:
            ValueError: none of them has finite held-out scores.

        """
        for name in self.ranking:
            if not families or self.families[name] in families:
                return name
        raise ValueError(f"no {' or '.join(families) or 'candidate'} has finite held-out scores")

    def scored(self, name: CandidateName, most: int) -> tuple[Rows, Held]:
        """Rows and scores of a candidate, at most so many, in the order of the pool."""
        held = self.held[name]
        order = np.argsort(held.places, kind="stable")[self.sample(len(held.places), most)]
        taken = Held(held.label[order], held.scores[order], held.places[order])
        return self.pool.take(taken.places), taken


def residuals(held: Held, columns: Columns) -> dict[str, Floats]:
    """Truth less score, `(rows,)` each: of the label, of class 1 (binary), or of the most frequent classes."""
    if columns.task != "multiclass":
        return {columns.classes[1] if columns.classes else "label": held.label - held.scores}
    return {
        columns.classes[code]: (held.label == code) - held.scores[:, code] for code in frequent(held.label, OUTPUTS)
    }


def targets(rows: Rows) -> dict[str, Floats]:
    """What is to be explained, `(rows,)` each, named as in `residuals`."""
    columns = rows.columns
    if columns.task != "multiclass":
        return {columns.classes[1] if columns.classes else "label": rows.label}
    return {columns.classes[code]: (rows.label == code) * 1.0 for code in frequent(rows.label, OUTPUTS)}


def frequent(label: Floats, most: int) -> list[int]:
    """Codes of the most frequent classes."""
    counts = np.bincount(label.astype(np.int64))
    return [int(code) for code in np.argsort(-counts, kind="stable")[:most] if counts[code]]
