"""Anything with fit and predict, judged by the same rows, metrics, clocks and memory meters.

Importing this is quick: a candidate's library comes with the candidate.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from conf.contests import CANDIDATES
from conf.errors import FranklinError, closest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from models.candidates.candidate import Candidate

# Where each is that fits on one machine without a launcher, in order of simplicity; networks are made of a request.
LOCAL = {
    "mean": "baselines:Mean",
    "median": "baselines:Median",
    "majority": "baselines:Majority",
    "last_value": "baselines:LastValue",
    "linear_regression": "linear:LinearRegression",
    "logistic_regression": "linear:LogisticRegression",
    "ridge": "linear:Ridge",
    "lasso": "linear:Lasso",
    "decision_tree": "trees:DecisionTree",
    "random_forest": "trees:RandomForest",
    "gradient_boosting": "boosting:GradientBoosting",
    "xgboost": "xgb:XGBoost",
    "lightgbm": "lgbm:LightGBM",
}
MADE = {**LOCAL, "ensemble": "ensemble:Ensemble"}  # of others' fits


def local_candidates() -> "list[Candidate]":
    """All that fit in a process of this machine, in order of simplicity."""
    return [named(name) for name in LOCAL]


def named(name: str, others: "Iterable[Candidate]" = ()) -> "Candidate":
    """Find the candidate of a name, here or among `others`, such as networks.

    Raises:
        FranklinError: there is none of that name.

    """
    for other in others:
        if other.name == name:
            return other
    if name not in MADE:
        guess = closest(name, MADE)
        hint = f"did you mean '{guess}'?" if guess else f"there are {', '.join(MADE)}"
        where = "is a network, which trains by the launcher" if name in CANDIDATES else f"is no candidate; {hint}"
        raise FranklinError(f"'{name}' {where}")
    found: Candidate = getattr(import_module(module_of(name)), MADE[name].partition(":")[2])()
    return found


def module_of(name: str) -> str:
    """The module of a candidate that is no network."""
    return f"{__name__}.{MADE[name].partition(':')[0]}"


__all__ = ["local_candidates", "module_of", "named"]
