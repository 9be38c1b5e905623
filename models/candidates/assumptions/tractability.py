"""How a candidate's cost grows with rows, and with columns."""

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import nnls

from conf.contests import CANDIDATES, CandidateName
from conf.selecting import Fit
from models.candidates.assumptions.check import ALL, TABULAR, Bar, Check, Seen
from models.candidates.assumptions.evidence import Evidence
from models.candidates.draw import explain, sketch
from models.evaluation.figures.page import BASELINE, MODEL
from models.evaluation.metrics import Floats

SIZES, TENFOLD, STEADY = 3, 10, 1.5
FEWEST = 1000  # rows: below them a fit is its start, and tells nothing of how it grows
EXPONENTS = np.arange(0, 3.01, 0.05)
_CONSTANT, _LINEAR, _SQUARE = "not at all", "in proportion", "as their square"
# How cost grows with columns, by what is computed; one run has one width, so it is said, not measured.
COLUMNS: Mapping[CandidateName, str] = {
    "mean": _CONSTANT,
    "median": _CONSTANT,
    "majority": _CONSTANT,
    "last_value": _CONSTANT,
    "linear_regression": _SQUARE,  # least squares
    "logistic_regression": _LINEAR,  # a gradient's step
    "ridge": _SQUARE,  # normal equations
    "lasso": _LINEAR,  # a round of coordinate descent
    "decision_tree": _LINEAR,  # each split looks at all
    "random_forest": _LINEAR,  # or as their root, where splits look at as many
    "gradient_boosting": _LINEAR,  # histograms
    "xgboost": _LINEAR,  # histograms
    "lightgbm": _LINEAR,  # histograms
    "mlp": _LINEAR,  # the first layer
    "resnet": _LINEAR,  # the first layer
    "cnn": _LINEAR,  # a convolution's width
    "realmlp": _LINEAR,  # the first layer
    "tabm": _LINEAR,  # the first layer
    "ft_transformer": _SQUARE,  # each column attends to each
}


class Growth(NamedTuple):
    """seconds = fixed + factor * rows ** exponent, and log10 of what ten times the rows cost beside these."""

    fixed: float
    factor: float
    exponent: float
    tenfold: float
    r2: float


def look(evidence: Evidence) -> list[Seen]:
    """Fit a power law to the processor-seconds of each candidate with its own settings.

    Raises:
        ValueError: nobody was fitted on several sizes.

    """
    costs: dict[CandidateName, list[Fit]] = defaultdict(list)
    for fit in evidence.fits:
        if fit.phase == "size" and fit.failure is None and fit.rows > 0 and fit.processor_seconds > 0:
            costs[fit.candidate].append(fit)
    if not costs:
        raise ValueError("nobody was fitted on several sizes")
    return [_seen(evidence, name, costs[name]) for name in CANDIDATES if name in costs]


def _seen(evidence: Evidence, name: CandidateName, fits: list[Fit]) -> Seen:
    rows = np.array([fit.rows for fit in fits], dtype=np.float64)
    seconds = np.array([fit.processor_seconds for fit in fits])
    family = (evidence.families[name],)
    if len(np.unique(rows)) < SIZES:
        return Seen(None, None, np.nan, f"it takes fits on {SIZES} sizes", None, name, family)
    if rows.max() < FEWEST:
        few = f"{rows.max():,.0f} rows are too few: how a fit's cost grows is seen from {FEWEST:,} on"
        return Seen(None, None, np.nan, few, None, name, family)
    growth = grow(rows, seconds)
    width = evidence.pool.columns.width
    says = (
        f"From {rows.max():,.0f} rows on, ten times the rows cost about {10**growth.tenfold:,.0f} times the "
        f"{seconds[rows.argmax()]:,.3g} processor-seconds (an exponent of {growth.tenfold:.2f}); with columns, "
        f"{width} here, it grows {COLUMNS[name]}."
    )
    return Seen(growth.r2, None, growth.tenfold, says, _draw(rows, seconds, growth), name, family)


def grow(rows: Floats, seconds: Floats) -> Growth:
    """Fit a fixed cost and a power of rows by relative error; a cost that hardly rises has no fixed part to be told.

    Args:
        rows: `(fits,)`, at least two different sizes.
        seconds: `(fits,)`, all above 0.

    """
    top = rows.max()
    if seconds[rows.argmax()] < STEADY * seconds[rows.argmin()]:
        slope, level = np.polyfit(np.log(rows / top), np.log(seconds), 1)
        found = (0.0, float(np.exp(level)), max(0.0, float(slope)))
    else:
        tried = []
        for exponent in EXPONENTS[1:]:
            terms = np.stack([np.ones_like(rows), (rows / top) ** exponent], axis=1) / seconds[:, None]
            parts, error = nnls(terms, np.ones_like(seconds))
            tried.append((error, float(parts[0]), float(parts[1]), float(exponent)))
        found = min(tried)[1:]
    fixed, factor, exponent = found
    law = np.log(fixed + factor * (rows / top) ** exponent)
    spread = float(((np.log(seconds) - np.log(seconds).mean()) ** 2).sum())
    r2 = 1 - float(((np.log(seconds) - law) ** 2).sum()) / spread if spread > 0 else 1.0
    tenfold = float(np.log10((fixed + factor * TENFOLD**exponent) / (fixed + factor)))
    return Growth(fixed, factor / top**exponent, exponent, tenfold, r2)


def _draw(rows: Floats, seconds: Floats, growth: Growth) -> Figure:
    figure, axes = sketch("Cost over rows", "rows learned from", "processor-seconds")
    line = np.geomspace(rows.min(), rows.max() * TENFOLD, 60)
    law = growth.fixed + growth.factor * line**growth.exponent
    there = growth.fixed + growth.factor * rows.max() ** growth.exponent
    axes.plot(line, there * line / rows.max(), color=BASELINE, linestyle="--", linewidth=1.3, label="in proportion")
    axes.plot(line, law, color=MODEL, linewidth=1.5, label="fitted power law")
    axes.plot(rows, seconds, "o", color=MODEL, markersize=5, label="fits")
    axes.set(xscale="log", yscale="log")
    explain(figure)
    return figure


CHECK = Check(
    assumption="tractability",
    families=ALL,
    tasks=TABULAR,
    test="power law with a fixed part, fitted to processor-seconds over rows; the statistic is its R²",
    effect_name="exponent of cost over the next tenfold of rows",
    # A sort has about 1.1; from 1.3 on ten times the rows cost 20 times as much, and from 1.8 on more than 60 times.
    bar=Bar(1.3, 1.8),
    advice=(
        "Learn from as many rows as the learning curve still rises with, or take a candidate that grows in proportion."
    ),
    look=look,
)
