"""XGBoost."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import xgboost

from conf.schema import Choices, Range
from models.candidates.boosted import Boosted, Job
from models.candidates.candidate import Space
from models.candidates.forms import Levels, levels_of
from models.candidates.learning import PAIR, Classes
from models.candidates.rows import Columns, Rows
from models.evaluation.metrics import Floats

FILE = "model.ubj"
ROUNDS, PATIENCE = 2000, 40
LEVELS = 500  # of a column, beside that of all others: ten thousand made it fifty times as slow
ONE_THREAD = {"nthread": 1}


@dataclass(frozen=True)
class Boosters:
    """A fitted model, the levels that it takes, and the classes that it has seen."""

    booster: Any
    levels: Levels
    classes: Classes | None

    def predict(self, rows: Rows) -> Floats:
        """Give scores, `(rows,)` or `(rows, classes)`, in this thread."""
        found = np.asarray(self.booster.inplace_predict(self.levels.table(rows), validate_features=False), np.float64)
        if self.classes is None:
            return found
        return self.classes.spread(np.stack([1 - found, found], axis=1) if found.ndim == 1 else found)

    def save(self, folder: Path) -> None:
        """Write XGBoost's own UBJSON, the rest beside it."""
        self.booster.save_model(folder / FILE)
        self.levels.save(folder)
        if self.classes is not None:
            self.classes.save(folder)


class XGBoost(Boosted[Boosters]):
    """Trees of second-order gradients, on histograms and categories (Chen and Guestrin 2016)."""

    name = "xgboost"
    title = "XGBoost"
    own: ClassVar[Mapping[str, float]] = {
        "learning_rate": 0.05,
        "leaves": 63.0,
        "leaf_weight": 5.0,
        "columns": 0.3,
        "rows": 0.8,
        "l2": 1.0,
    }
    of_values: ClassVar[Mapping[str, float]] = {
        "learning_rate": 0.06,
        "leaves": 31.0,
        "leaf_weight": 10.0,
        "columns": 0.5,
    }

    def space(self, columns: Columns) -> Space:  # noqa: ARG002 -- the same for all
        """Give learning rate, leaves, weight of a leaf, share of columns in a tree, and penalty of leaves."""
        return {
            "learning_rate": Range(low=0.02, high=0.3, log=True),
            "leaves": Choices(choices=[7, 15, 31, 63, 127, 255]),
            "leaf_weight": Range(low=1, high=100, log=True),
            "columns": Range(low=0.2, high=1.0),
            "l2": Range(low=0.01, high=100, log=True),
        }

    def load(self, folder: Path, columns: Columns) -> Boosters:
        """Read the model."""
        booster = xgboost.Booster(ONE_THREAD, model_file=folder / FILE)
        return Boosters(booster, Levels.load(folder, columns), Classes.load(folder, columns))

    def _rounds(self, fitted: Boosters) -> int:
        return int(fitted.booster.num_boosted_rounds())

    def _train(self, job: Job) -> Boosters:
        levels, columns = levels_of(job.rows, least=1, most=LEVELS), job.rows.columns
        table = levels.table(job.rows)
        kinds = ["q"] * len(columns.numbers) + ["c"] * len(columns.codes)
        told = {"feature_types": kinds, "enable_categorical": True, "nthread": job.threads}
        data = xgboost.QuantileDMatrix(table[job.learn], job.label[job.learn], **told)
        stops = len(job.held) > 0
        held = xgboost.QuantileDMatrix(table[job.held], job.label[job.held], ref=data, **told) if stops else None
        booster = xgboost.train(
            _parameters(job),
            data,
            num_boost_round=ROUNDS if stops else job.rounds,
            evals=[(held, "held")] if held is not None else None,
            early_stopping_rounds=PATIENCE if stops else None,
            verbose_eval=False,
        )
        booster = booster[: booster.best_iteration + 1] if stops else booster
        booster.set_param(ONE_THREAD)
        return Boosters(booster, levels, job.classes)


def _parameters(job: Job) -> dict[str, Any]:
    settings = job.settings
    if job.classes is None:
        objective: dict[str, Any] = {"objective": "reg:squarederror", "eval_metric": "rmse"}
    elif len(job.classes.seen) == PAIR:
        objective = {"objective": "binary:logistic", "eval_metric": "logloss"}
    else:
        objective = {"objective": "multi:softprob", "eval_metric": "mlogloss", "num_class": len(job.classes.seen)}
    return {
        **objective,
        "tree_method": "hist",
        "grow_policy": "lossguide",
        "max_depth": 0,
        "max_leaves": round(settings["leaves"]),
        "eta": settings["learning_rate"],
        "min_child_weight": settings["leaf_weight"],
        "colsample_bytree": settings["columns"],
        "subsample": settings["rows"],
        "lambda": settings["l2"],
        "nthread": job.threads,
        "seed": job.seed % 2**31,
        "verbosity": 0,
    }
