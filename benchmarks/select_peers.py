"""Others that choose a model by themselves. They run in any interpreter that has their package and pandas.

Each gets the encoded rows as a frame, numbers `x0, x1, ...` and categories `c0, c1, ...`, and so many seconds in which
to look and to fit. Where rows are parted by date, validation is given apart, since the days to come are not like rows
by chance; else train and validation together, to be parted as it likes.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

CORES = 2
FEW = 5000  # rows


class Asked(NamedTuple):
    """A task for a peer.

    Attributes:
        task: binary, multiclass or regression.
        learn: frame to learn from, its label in `y`.
        validation: frame to judge settings by; None: `learn` is to be parted.
        seconds: to look and to fit.
        seed: of what is drawn.
        folder: to write into.

    """

    task: str
    learn: Any
    validation: Any | None
    seconds: float
    seed: int
    folder: Path


Predict = Callable[[Any], Any]  # frame -> (rows,) values, (rows, 2) or (rows, classes) probabilities


def flaml(asked: Asked) -> tuple[Predict, str]:
    """FLAML (Wang et al. 2021): all its estimators, then the best one fitted again on all rows."""
    from flaml import AutoML

    metric = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}[asked.task]
    given: dict[str, Any] = {"X_train": asked.learn.drop(columns="y"), "y_train": asked.learn["y"]}
    if asked.validation is not None:
        given |= {"X_val": asked.validation.drop(columns="y"), "y_val": asked.validation["y"]}
    found = AutoML()
    found.fit(
        **given,
        task="regression" if asked.task == "regression" else "classification",
        metric=metric,
        time_budget=asked.seconds,
        n_jobs=CORES,
        seed=asked.seed,
        retrain_full="budget",
        verbose=0,
        log_file_name=str(asked.folder / "flaml.log"),
    )
    scores = found.predict if asked.task == "regression" else found.predict_proba
    return scores, str(found.best_estimator)


def autogluon(asked: Asked) -> tuple[Predict, str]:
    """AutoGluon (Erickson et al. 2020) with its best quality: bagged and stacked, each bag on rows of all days.

    So all rows are learned from, as others do in the end; with validation as tuning data it would leave those out. On
    few rows it stacks without trying first whether that is well (`dynamic_stacking`): in the quarter of a minute that
    this gets, now and then no model is through, and then the fit itself fails, "Learner is already fit".
    """
    import pandas as pd
    from autogluon.tabular import TabularPredictor

    metric = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "root_mean_squared_error"}[asked.task]
    rows = asked.learn if asked.validation is None else pd.concat([asked.learn, asked.validation], ignore_index=True)
    found = TabularPredictor("y", problem_type=asked.task, eval_metric=metric, path=str(asked.folder / "autogluon"))
    found.fit(
        rows,
        time_limit=asked.seconds,
        presets="best_quality",
        num_cpus=CORES,
        num_gpus=0,
        dynamic_stacking=len(rows) >= FEW,
        ds_args={"memory_safe_fits": False},  # those would be processes of ray
        verbosity=0,
    )

    def scores(frame: Any) -> Any:
        return found.predict(frame) if asked.task == "regression" else found.predict_proba(frame)

    return scores, str(found.model_best)


PEERS: dict[str, Callable[[Asked], tuple[Predict, str]]] = {"flaml": flaml, "autogluon": autogluon}
