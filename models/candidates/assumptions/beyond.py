"""Does another family see in the columns together what a linear model can't."""

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from models.candidates.assumptions.bins import means, quantile_bins
from models.candidates.assumptions.check import CLASSES, LINEAR, REGRESSION, Bar, Check, Seen
from models.candidates.assumptions.evidence import Evidence, Held, residuals
from models.candidates.draw import explain, sketch
from models.evaluation.figures.page import ACCENT, BASELINE, MODEL
from models.evaluation.metrics import Floats

BINS, LEAST, Z95 = 20, 30, 1.96


def look(evidence: Evidence) -> list[Seen]:
    """Find the share of the best linear candidate's residuals that the best bending one foretells.

    Both spoke of rows that they had not learned from, so what one explains of the other's errors is there.

    Raises:
        ValueError: there is no such pair, or it has too few rows in common, or both say the same.

    """
    linear, other = evidence.best("linear"), evidence.best("tree", "boosting", "network")
    mine, theirs = _paired(evidence.held[linear], evidence.held[other])
    if len(mine.label) < LEAST:
        raise ValueError(f"it takes {LEAST} rows that both have scored")
    left, right = (residuals(held, evidence.pool.columns) for held in (mine, theirs))
    residual = np.concatenate(list(left.values()))
    difference = residual - np.concatenate(list(right.values()))  # their score less mine
    power, total = float(difference @ difference), float(residual @ residual)
    if power == 0 or total == 0:
        raise ValueError("both say the same")
    slope = float(difference @ residual) / power
    share = max(0.0, slope) ** 2 * power / total
    error = np.sqrt(float((residual - slope * difference) @ (residual - slope * difference)) / len(residual) / power)
    t = slope / error if error > 0 else np.inf
    p_value = float(stats.norm.sf(t))
    says = (
        f"The best candidate that can bend foretells {share:.1%} of the variance of the best linear one's residuals "
        f"({len(mine.label):,} rows that neither had learned from)."
    )
    return [Seen(float(t), p_value, share, says, _draw(difference, residual, slope), linear)]


def _paired(one: Held, other: Held) -> tuple[Held, Held]:
    _, mine, theirs = np.intersect1d(one.places, other.places, return_indices=True)
    return tuple(  # type: ignore[return-value]  # a pair
        Held(held.label[at], held.scores[at], held.places[at]) for held, at in ((one, mine), (other, theirs))
    )


def _draw(difference: Floats, residual: Floats, slope: float) -> Figure:
    bins = quantile_bins(difference, BINS)
    centres, _ = means(difference, bins)
    mean, error = means(residual, bins)
    figure, axes = sketch(
        "What the linear model leaves", "the bending candidate's score less the linear one's", "linear one's residual"
    )
    axes.axhline(0, color=BASELINE, linestyle="--", linewidth=1.3, label="nothing left")
    axes.plot(centres, slope * centres, color=ACCENT, linewidth=1.2, linestyle=":", label="fitted line")
    axes.errorbar(
        centres,
        mean,
        Z95 * error,
        fmt="o",
        color=MODEL,
        markersize=4,
        capsize=2.5,
        label="mean of a bin, 95 % interval",
    )
    explain(figure)
    return figure


_TEST = "J test of one model against another (Davidson and MacKinnon 1981), on held-out rows"
_EFFECT = "share of the linear candidate's residual variance that another family's score explains"
_BAR = Bar(0.01, 0.06)  # small and medium shares of variance (Cohen 1988, section 8.2)
_ADVICE = (
    "Look at the partial dependences for curves, and add products of columns; if the gap is worth its price, take "
    "the candidate that bends."
)
CHECK = Check("no interactions", LINEAR, REGRESSION, _TEST, _EFFECT, _BAR, _ADVICE, look)
BOUNDARY = Check("linear class boundary", LINEAR, CLASSES, _TEST, _EFFECT, _BAR, _ADVICE, look)
