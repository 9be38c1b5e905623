"""Do residuals spread equally everywhere, as least squares assume."""

import numpy as np
import statsmodels.api as sm
from matplotlib.figure import Figure
from statsmodels.stats.diagnostic import het_breuschpagan

from models.candidates.assumptions.bins import quantile_bins
from models.candidates.assumptions.check import LINEAR, REGRESSION, Bar, Check, Seen
from models.candidates.assumptions.evidence import Evidence
from models.candidates.draw import explain, sketch
from models.evaluation.figures.page import BASELINE, MODEL
from models.evaluation.metrics import Floats

BINS, LEAST, MOST = 10, 100, 200_000


def look(evidence: Evidence) -> list[Seen]:
    """Compare spreads of the best linear candidate's held-out residuals over tenths of its predictions.

    Raises:
        ValueError: there is no such candidate, too few rows, or predictions or residuals do not vary.

    """
    name = evidence.best("linear")
    _, held = evidence.scored(name, MOST)
    residual, score = held.label - held.scores, held.scores
    if len(residual) < LEAST or min(residual.std(), score.std()) == 0:
        raise ValueError(f"it takes {LEAST} rows whose predictions and residuals vary")
    bins = quantile_bins(score, BINS)
    rows = np.bincount(bins)
    mean = np.bincount(bins, residual) / rows
    spread = np.sqrt(np.bincount(bins, (residual - mean[bins]) ** 2) / np.maximum(rows - 1, 1))
    wide = spread[rows >= LEAST // BINS]
    if len(wide) < 2 or wide.min() == 0:  # noqa: PLR2004 -- a pair is compared
        raise ValueError("predictions take too few values to be put in order")
    ratio = float(wide.max() / wide.min())
    unit = (score - score.mean()) / score.std()
    # With the square as well, a spread that is wide in the middle is seen too (White 1980).
    statistic, p_value, *_ = het_breuschpagan(residual - residual.mean(), sm.add_constant(np.c_[unit, unit**2]))
    says = (
        f"Over tenths of the predictions the residuals' standard deviation goes from {wide.min():.3g} to "
        f"{wide.max():.3g}, a ratio of {ratio:.2f}; it is {spread[0]:.3g} in the lowest and {spread[-1]:.3g} in the "
        f"highest ({len(score):,} rows)."
    )
    figure = _draw(np.bincount(bins, score) / rows, spread, float(residual.std()))
    return [Seen(float(statistic), float(p_value), ratio, says, figure, name)]


def _draw(centres: Floats, spread: Floats, overall: float) -> Figure:
    figure, axes = sketch("Spread of residuals", "prediction, in the label's unit", "standard deviation of residuals")
    axes.axhline(overall, color=BASELINE, linestyle="--", linewidth=1.3, label="of all")
    axes.plot(centres, spread, "o-", color=MODEL, markersize=4.5, label="in a tenth of the predictions")
    axes.set_ylim(0, max(spread.max(), overall) * 1.08)
    explain(figure)
    return figure


CHECK = Check(
    assumption="constant variance",
    families=LINEAR,
    tasks=REGRESSION,
    test="Breusch and Pagan (1979), studentised (Koenker 1981), on predictions and their squares",
    effect_name="largest over smallest standard deviation of residuals, in tenths of the predictions",
    # Moore and McCabe: twice is the most that pooled variances bear; Fox (2016), section 12.2: three times does harm.
    bar=Bar(2, 3),
    advice=(
        "Predict the label's logarithm or root if it spreads more where it is larger, weigh rows by the inverse of "
        "their variance, and take standard errors that do not assume it (HC3)."
    ),
    look=look,
)
