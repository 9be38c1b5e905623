"""scikit-learn's gradient boosting on histograms."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from sklearn import ensemble
from threadpoolctl import ThreadpoolController

from conf.schema import Choices, Range
from models.candidates import skopsed, sums
from models.candidates.boosted import Boosted, Job
from models.candidates.candidate import Space
from models.candidates.forms import Levels, levels_of
from models.candidates.learning import Classes
from models.candidates.rows import Columns, Rows
from models.candidates.sums import Sum
from models.evaluation.metrics import Floats

LEVELS = 254  # of a column, beside that of all others: it takes 255
ROUNDS, PATIENCE = 1000, 20


@dataclass(frozen=True)
class Histograms:
    """A fitted model, the levels that it takes, and the classes that it has seen."""

    model: Any
    levels: Levels
    classes: Classes | None

    def predict(self, rows: Rows) -> Floats:
        """Give scores, `(rows,)` or `(rows, classes)`, in this thread: others made one row take far longer."""
        table = self.levels.table(rows)
        with _pools().limit(limits=1, user_api="openmp"):
            if self.classes is None:
                return np.asarray(self.model.predict(table), np.float64)
            return self.classes.spread(self.model.predict_proba(table))

    def save(self, folder: Path) -> None:
        """Write the model by skops, the rest as arrays."""
        skopsed.save(self.model, folder)
        self.levels.save(folder)
        if self.classes is not None:
            self.classes.save(folder)


class GradientBoosting(Boosted[Histograms]):
    """Trees that each fit the loss's gradient (Friedman 2001), on binned numbers and categorical levels."""

    name = "gradient_boosting"
    title = "gradient boosting"
    imports = ("skops.io",)
    own: ClassVar[Mapping[str, float]] = {
        "learning_rate": 0.1,
        "leaves": 31.0,
        "leaf_rows": 20.0,
        "columns": 0.5,
        "l2": 1.0,
    }

    def space(self, columns: Columns) -> Space:  # noqa: ARG002 -- the same for all
        """Give learning rate, leaves, rows of a leaf, share of columns at a split, and penalty of leaves."""
        return {
            "learning_rate": Range(low=0.02, high=0.3, log=True),
            "leaves": Choices(choices=[7, 15, 31, 63, 127]),
            "leaf_rows": Range(low=5, high=200, log=True),
            "columns": Range(low=0.2, high=1.0),
            "l2": Range(low=0.01, high=100, log=True),
        }

    def load(self, folder: Path, columns: Columns) -> Histograms | Sum:
        """Read the model; one that Spark has fitted is a sum of trees."""
        if (folder / sums.FILE).exists():
            return Sum.load(folder, columns)
        return Histograms(skopsed.load(folder), Levels.load(folder, columns), Classes.load(folder, columns))

    def _rounds(self, fitted: Histograms) -> int:
        return max(1, int(np.argmax(fitted.model.validation_score_)))  # the first one is that of no round

    def _train(self, job: Job) -> Histograms:
        levels = levels_of(job.rows, least=1, most=LEVELS)
        table, stops, numbers = levels.table(job.rows), len(job.held) > 0, len(job.rows.columns.numbers)
        kind = (
            ensemble.HistGradientBoostingRegressor if job.classes is None else ensemble.HistGradientBoostingClassifier
        )
        model = kind(
            learning_rate=job.settings["learning_rate"],
            max_leaf_nodes=round(job.settings["leaves"]),
            min_samples_leaf=round(job.settings["leaf_rows"]),
            max_features=job.settings["columns"],
            l2_regularization=job.settings["l2"],
            max_iter=ROUNDS if stops else job.rounds,
            early_stopping=stops,
            n_iter_no_change=PATIENCE,
            categorical_features=list(range(numbers, table.shape[1])) or None,
            random_state=job.seed,
        )
        told = {"X_val": table[job.held], "y_val": job.label[job.held]} if stops else {}
        return Histograms(model.fit(table[job.learn], job.label[job.learn], **told), levels, job.classes)


@cache
def _pools() -> ThreadpoolController:
    """Find libraries with threads, once: that takes longer than a prediction."""
    return ThreadpoolController()
