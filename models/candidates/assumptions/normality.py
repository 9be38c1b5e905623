"""Are residuals normal, as intervals and tests of a linear model assume."""

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from models.candidates.assumptions.check import LINEAR, REGRESSION, Bar, Check, Seen
from models.candidates.assumptions.evidence import Evidence
from models.candidates.draw import explain, sketch
from models.evaluation.figures.page import ACCENT, MODEL
from models.evaluation.metrics import Floats

LEAST, MOST, DRAWN = 20, 200_000, 200


def look(evidence: Evidence) -> list[Seen]:
    """Compare quantiles of the best linear candidate's held-out residuals with a normal's.

    Raises:
        ValueError: there is no such candidate, too few rows, or residuals do not vary.

    """
    name = evidence.best("linear")
    _, held = evidence.scored(name, MOST)
    residual = held.label - held.scores
    if len(residual) < LEAST or residual.std() == 0:
        raise ValueError(f"it takes {LEAST} rows whose residuals vary")
    ordered = np.sort((residual - residual.mean()) / residual.std())
    normal = stats.norm.ppf((np.arange(len(ordered)) + 0.5) / len(ordered))
    # Both have mean 0 and deviation 1: this is the Wasserstein distance of order 2 to the normal.
    distance = float(np.sqrt(np.mean((ordered - normal) ** 2)))
    bera = stats.jarque_bera(ordered)
    says = (
        f"Quantiles of the residuals lie {distance:.2f} standard deviations off those of a normal distribution, "
        f"with skewness {stats.skew(ordered):.2f} and excess kurtosis {stats.kurtosis(ordered):.2f} "
        f"({len(ordered):,} rows)."
    )
    return [Seen(bera.statistic, bera.pvalue, distance, says, _draw(normal, ordered), name)]


def _draw(normal: Floats, ordered: Floats) -> Figure:
    ends = np.linspace(0, len(ordered) - 1, min(DRAWN, len(ordered)))
    # The tails are what one looks for: the outermost points are all drawn.
    few = min(DRAWN // 10, len(ordered))
    shown = np.unique(np.r_[ends.astype(np.int64), np.arange(few), len(ordered) - 1 - np.arange(few)])
    figure, axes = sketch("Residuals against a normal", "normal quantile", "residual, in deviations")
    axes.plot(normal[[0, -1]], normal[[0, -1]], color=ACCENT, linestyle="--", linewidth=1.3, label="normal")
    axes.plot(normal[shown], ordered[shown], "o", color=MODEL, markersize=3, label="held-out residuals")
    explain(figure)
    return figure


CHECK = Check(
    assumption="normality of residuals",
    families=LINEAR,
    tasks=REGRESSION,
    test="Jarque and Bera (1987); distance between quantiles (del Barrio et al. 1999)",
    effect_name="root mean square distance to normal quantiles, in standard deviations",
    # Cohen (1988) calls a shift of 0.2 deviations small, the least that an eye sees; doubt begins at half of that.
    bar=Bar(0.1, 0.2),
    advice=(
        "Means are still right, but intervals and tests that rest on the normal are not: take intervals from the "
        "bootstrap or quantile regression, or transform the label (a logarithm, if it is skewed to the right)."
    ),
    look=look,
)
