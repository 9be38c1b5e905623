"""LightGBM."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import lightgbm
import numpy as np

from conf.schema import Choices, Range
from models.candidates.boosted import Boosted, Job
from models.candidates.candidate import Space
from models.candidates.forms import ordinal
from models.candidates.learning import PAIR, Classes
from models.candidates.rows import Columns, Rows
from models.evaluation.metrics import Floats

FILE = "model.txt"
ROUNDS, PATIENCE = 2000, 40


@dataclass(frozen=True)
class Boosters:
    """A fitted model, and the classes that it has seen."""

    booster: Any
    classes: Classes | None

    def predict(self, rows: Rows) -> Floats:
        """Give scores, `(rows,)` or `(rows, classes)`, in this thread."""
        found = np.asarray(self.booster.predict(ordinal(rows), num_threads=1), np.float64)
        if self.classes is None:
            return found
        return self.classes.spread(np.stack([1 - found, found], axis=1) if found.ndim == 1 else found)

    def save(self, folder: Path) -> None:
        """Write LightGBM's own text."""
        self.booster.save_model(folder / FILE)
        if self.classes is not None:
            self.classes.save(folder)


class LightGBM(Boosted[Boosters]):
    """Trees grown leaf by leaf, with categories split by their gradients (Ke et al. 2017)."""

    name = "lightgbm"
    title = "LightGBM"
    own: ClassVar[Mapping[str, float]] = {
        "learning_rate": 0.05,
        "leaves": 63.0,
        "leaf_rows": 20.0,
        "columns": 0.3,
        "rows": 0.8,
        "l2": 10.0,
    }
    of_values: ClassVar[Mapping[str, float]] = {"learning_rate": 0.08, "leaf_rows": 5.0, "columns": 0.7}

    def space(self, columns: Columns) -> Space:  # noqa: ARG002 -- the same for all
        """Give learning rate, leaves, rows of a leaf, share of columns in a tree, and penalty of leaves."""
        return {
            "learning_rate": Range(low=0.02, high=0.3, log=True),
            "leaves": Choices(choices=[7, 15, 31, 63, 127, 255]),
            "leaf_rows": Range(low=5, high=200, log=True),
            "columns": Range(low=0.2, high=1.0),
            "l2": Range(low=0.01, high=100, log=True),
        }

    def load(self, folder: Path, columns: Columns) -> Boosters:
        """Read the model."""
        return Boosters(lightgbm.Booster(model_file=folder / FILE), Classes.load(folder, columns))

    def _rounds(self, fitted: Boosters) -> int:
        return max(1, int(fitted.booster.current_iteration()))

    def _train(self, job: Job) -> Boosters:
        table, numbers = ordinal(job.rows), len(job.rows.columns.numbers)
        data = lightgbm.Dataset(
            table[job.learn],
            job.label[job.learn],
            categorical_feature=list(range(numbers, table.shape[1])),
            params={"verbosity": -1, "num_threads": job.threads, "feature_pre_filter": False, **_seeded(job.seed)},
        )
        stops = len(job.held) > 0
        held = data.create_valid(table[job.held], job.label[job.held]) if stops else None
        booster = lightgbm.train(
            _parameters(job),
            data,
            num_boost_round=ROUNDS if stops else job.rounds,
            valid_sets=[held] if held is not None else None,
            callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False)] if stops else None,
        )
        best = booster.best_iteration if stops else booster.current_iteration()
        return Boosters(lightgbm.Booster(model_str=booster.model_to_string(num_iteration=best)), job.classes)


def _parameters(job: Job) -> dict[str, Any]:
    settings = job.settings
    if job.classes is None:
        objective: dict[str, Any] = {"objective": "regression", "metric": "rmse"}
    elif len(job.classes.seen) == PAIR:
        objective = {"objective": "binary", "metric": "binary_logloss"}
    else:
        objective = {"objective": "multiclass", "metric": "multi_logloss", "num_class": len(job.classes.seen)}
    return {
        **objective,
        "learning_rate": settings["learning_rate"],
        "num_leaves": round(settings["leaves"]),
        "min_data_in_leaf": round(settings["leaf_rows"]),
        "feature_fraction": settings["columns"],
        "bagging_fraction": settings["rows"],
        "bagging_freq": int(settings["rows"] * len(job.learn) >= 1),  # LightGBM ends where a bag would be empty
        "lambda_l2": settings["l2"],
        "num_threads": job.threads,
        "deterministic": True,
        "force_row_wise": True,
        "feature_pre_filter": False,
        "verbosity": -1,
        **_seeded(job.seed),
    }


def _seeded(seed: int) -> dict[str, int]:
    return {"seed": seed % 2**31}
