"""Standings of a contest that never was: what flights teach 19 candidates, two of which fall out."""

from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np

from conf.contests import CandidateName, Family
from conf.exchange import Estimate
from conf.selecting import Latency, Period, Standing, Threshold, Values
from models.candidates.curves import curve

SIZES, FOLDS = [3_700, 11_100, 33_300, 100_000], 5
FAMILIES: dict[CandidateName, Family] = {
    "mean": "baseline",
    "median": "baseline",
    "majority": "baseline",
    "last_value": "baseline",
    "linear_regression": "linear",
    "logistic_regression": "linear",
    "ridge": "linear",
    "lasso": "linear",
    "decision_tree": "tree",
    "random_forest": "tree",
    "gradient_boosting": "boosting",
    "xgboost": "boosting",
    "lightgbm": "boosting",
    "mlp": "network",
    "resnet": "network",
    "cnn": "network",
    "realmlp": "network",
    "tabm": "network",
    "ft_transformer": "network",
}
# Candidate -> AUC on all rows, what it lacks on the smallest size, processor-seconds, bytes, seconds of one row.
FLIGHTS: dict[CandidateName, tuple[float, float, float, int, float]] = {
    "mean": (0.5, 0, 0.004, 310, 4e-6),
    "median": (0.5, 0, 0.005, 310, 4e-6),
    "majority": (0.5, 0, 0.004, 320, 4e-6),
    "last_value": (0.517, 0.001, 0.02, 340, 5e-6),
    "linear_regression": (0.672, 0.012, 0.9, 21_000, 1.1e-4),
    "logistic_regression": (0.681, 0.014, 3.1, 21_400, 1.2e-4),
    "ridge": (0.6805, 0.008, 1.2, 21_200, 1.1e-4),
    "lasso": (0.6815, 0.009, 5.4, 20_900, 1.2e-4),
    "decision_tree": (0.655, 0.05, 1.6, 96_000, 1.4e-4),
    "random_forest": (0.697, 0.032, 96, 212_000_000, 2.1e-2),
    "gradient_boosting": (0.7075, 0.04, 41, 1_900_000, 1.9e-3),
    "xgboost": (0.7092, 0.043, 22, 2_400_000, 9e-4),
    "lightgbm": (0.7105, 0.042, 14, 1_700_000, 7e-4),
    "mlp": (0.699, 0.06, 61, 640_000, 4.2e-4),
    "resnet": (0.7012, 0.065, 118, 1_300_000, 6.6e-4),
    "cnn": (0.69, 0.07, 149, 900_000, 7.3e-4),
    "realmlp": (0.7063, 0.055, 171, 2_200_000, 8.1e-4),
    "tabm": (0.711, 0.058, 284, 5_200_000, 1.6e-3),
    "ft_transformer": (0, 0, 240, 0, 0),
}
FAILURES: dict[CandidateName, str] = {
    "ft_transformer": "did not end within 240 s (contest.fit_seconds); its FT-Transformer had 3 epochs",
    "linear_regression": "Linear regression: the design matrix is singular, 2 columns are duplicates",
}
COLUMNS = ["dep_hour", "carrier", "wind_speed", "origin", "precip", "visib", "distance", "schedule_full", "pressure"]


def near(value: float, margin: float) -> Estimate:
    return Estimate(value=value, low=value - margin, high=value + margin)


def made(
    name: CandidateName, folds: list[float], learned: object, means: tuple[float, int, float]
) -> dict[str, object]:
    """Fields of a standing whose candidate was fitted."""
    processor, size, one = means
    half = 2.776 * float(np.std(folds, ddof=1)) / np.sqrt(len(folds))
    return {
        "candidate": name,
        "family": FAMILIES[name],
        "values": SETTINGS.get(name, {}),
        "folds": folds,
        "mean": float(np.mean(folds)),
        "low": float(np.mean(folds)) - half,
        "high": float(np.mean(folds)) + half,
        "behind": None,
        "behind_error": None,
        "test": {},
        "rows": 100_000,
        "processor_seconds": processor,
        "seconds": processor / 1.7,
        "peak_memory_bytes": int(6e7 + 4e6 * processor),
        "size_bytes": size,
        "latency": Latency(
            one_p50_seconds=one,
            one_p99_seconds=1.7 * one,
            batch_rows=1_000,
            batch_p50_seconds=one / 60,
            batch_p99_seconds=one / 45,
        ),
        "curve": learned,
        "periods": [],
        "threshold": None,
        "failure": None,
    }


SETTINGS: Mapping[str, Values] = {
    "lightgbm": {"num_leaves": 63, "learning_rate": 0.05, "min_child_samples": 60},
    "ridge": {"alpha": 3.1},
    "mlp": {"hidden": [256, 256], "dropout": 0.1},
}
DAYS = np.random.default_rng(4).normal(0, 0.006, FOLDS)  # folds differ from each other, alike for all


def standing(name: CandidateName, generator: np.random.Generator) -> Standing:
    area, lack, processor, size, one = FLIGHTS[name]
    if name in FAILURES:
        fields = made(name, [0.6, 0.6], {"rows": [], "values": [], "law": None}, (processor, size, one))
        empty = dict.fromkeys(
            ("mean", "low", "high", "processor_seconds", "seconds", "peak_memory_bytes", "size_bytes", "latency")
        )
        return Standing.model_validate(fields | empty | {"folds": [], "rows": 0, "failure": FAILURES[name]})
    moving = FAMILIES[name] != "baseline"
    folds = (area + DAYS * moving + generator.normal(0, 0.0012, FOLDS) * moving).tolist()
    values = [area - lack * ((SIZES[0] / rows) ** 0.5 - (SIZES[0] / SIZES[-1]) ** 0.5) for rows in SIZES]
    learned = curve(SIZES, values, higher_is_better=True)
    fields = made(name, folds, learned, (processor, size, one))
    test = area - 0.004 * moving
    logs = 0.515 - 0.3 * (area - 0.5)
    tested = {"auc": near(test, 0.008), "log_loss": near(logs, 0.006), "accuracy": near(0.79, 0.005)}
    periods = _periods(test, generator, moving=moving)
    threshold = _threshold(test, generator)
    return Standing.model_validate(fields | {"test": tested, "periods": periods, "threshold": threshold})


def _periods(value: float, generator: np.random.Generator, *, moving: bool) -> list[Period]:
    season = [0.012, 0.004, 0.009, -0.002, -0.008, 0.001, -0.031, -0.006, 0.006]
    found = []
    for week, drift in enumerate(season):
        start = (date(2013, 10, 28) + timedelta(weeks=week)).isoformat()
        rows = 12 if week == len(season) - 1 else 3_000
        seen = value + (drift + float(generator.normal(0, 0.002))) * moving
        known = None if rows < 20 else near(seen, 0.018)
        found.append(Period(start=start, rows=rows, value=known, drawn="days" if week else "rows"))
    return found


def _threshold(value: float, generator: np.random.Generator) -> Threshold:
    """Costs of scores that tell late flights from others as well as `value` says."""
    apart = 3.4 * (value - 0.5) + 0.02
    grid = np.linspace(0, 1, 101)
    score = -1.4 + np.r_[generator.normal(0, 1, 8_000) * 0.6, generator.normal(apart, 1, 2_000) * 0.6 + 0.3]
    share = 1 / (1 + np.exp(-score))
    late = np.r_[np.zeros(8_000), np.ones(2_000)]
    prices = [float(((share >= t) & (late == 0)).mean() + 4 * ((share < t) & (late == 1)).mean()) for t in grid]
    place = int(np.argmin(prices))
    best = float(grid[place])
    return Threshold(
        thresholds=grid.tolist(),
        costs=prices,
        best=best,
        low=max(0.0, best - 0.02),
        high=best + 0.03,
        cost=near(prices[place], 0.014),
        cost_at_half=prices[50],
        false_positives=float(((share >= best) & (late == 0)).mean()),
        false_negatives=float(((share < best) & (late == 1)).mean()),
    )


def behind(standing: Standing, best: Standing, *, sign: int) -> Standing:
    if not standing.folds:
        return standing
    gaps = sign * (np.asarray(best.folds) - np.asarray(standing.folds))
    error = float(gaps.std(ddof=1) / np.sqrt(len(gaps)))
    return standing.model_copy(update={"behind": float(gaps.mean()), "behind_error": error})
