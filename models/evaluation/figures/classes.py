"""Pictures of classifiers: ROC, precision and recall, calibration; one curve, or one per class against the rest."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from models.evaluation.figures.page import BASELINE, CYCLE, MODEL, Page, number, polish
from models.evaluation.metrics import Floats, Ranking

DRAWN_POINTS, BINS, Z95 = 2000, 10, 1.96


class Curve(NamedTuple):
    """One class against the rest: its name, colour, `(rows,)` probabilities, and `(rows,)` whether it was so."""

    name: str
    colour: str
    scores: Floats
    truth: Floats


def curves(page: Page) -> Iterator[Curve]:
    """The positive class, or the most frequent classes, as many as there are colours."""
    label = page.manifest.label
    if page.manifest.task == "binary":
        yield Curve(f"{label.name} = {label.classes[1]}", MODEL, page.test.scores, page.test.label)
        return
    frequent = sorted(range(len(label.classes)), key=lambda code: -label.prior[code])[: len(CYCLE)]
    for colour, code in zip(CYCLE, frequent, strict=False):
        yield Curve(label.classes[code], colour, page.test.scores[:, code], (page.test.label == code) * 1.0)


def roc(page: Page) -> Figure:
    """Draw the share of positives found over the share of negatives taken with them, for every threshold."""
    figure = page.figure("ROC curve", "auc")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=BASELINE, linestyle="--", linewidth=1.2, label="trivial predictor")
    for curve in curves(page):
        ranking, rows = Ranking(curve.scores, curve.truth == 1), np.ones(page.test.rows)
        area = ranking.auc(rows)
        if area is not None:
            positive, negative = (np.cumsum(found) / found.sum() for found in ranking.counts(rows))
            shown = _thinned(len(positive))
            name = f"{curve.name} (AUC {number(area)})"
            axes.plot(np.r_[0, negative[shown]], np.r_[0, positive[shown]], color=curve.colour, label=name)
    _shares(axes)
    polish(axes, "false positive rate", "true positive rate (recall)")
    axes.legend(loc="lower right", frameon=False, fontsize=9.5)
    return figure


def precision_recall(page: Page) -> Figure:
    """Draw precision over recall for every threshold; the trivial predictor's precision is the class's share."""
    figure = page.figure("Precision and recall", "average_precision", *(["auc"] if _many(page) else []))
    axes = figure.add_subplot()
    for curve in curves(page):
        ranking, rows = Ranking(curve.scores, curve.truth == 1), np.ones(page.test.rows)
        average = ranking.average_precision(rows)
        if average is not None:
            positive, negative = (np.cumsum(found) for found in ranking.counts(rows))
            shown = _thinned(len(positive))
            precision, recall = positive / (positive + negative), positive / positive[-1]
            name = f"{curve.name} (average precision {number(average)})"
            axes.plot(recall[shown], precision[shown], color=curve.colour, label=name)
            axes.axhline(
                curve.truth.mean(), color=curve.colour if _many(page) else BASELINE, linestyle="--", linewidth=1.2
            )
    axes.plot([], [], color=BASELINE, label="trivial predictor (share of the class)", linestyle="--", linewidth=1.2)
    _shares(axes)
    polish(axes, "recall", "precision")
    axes.legend(loc="best", framealpha=0.9, edgecolor="none", fontsize=9.5)
    return figure


def calibration(page: Page) -> Figure:
    """Draw the reliability diagram: bins of equally many rows, with 95 % Wilson intervals, above counts of scores."""
    figure = page.figure("Calibration", "log_loss" if _many(page) else "brier")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3.2, 1])
    above.plot([0, 1], [0, 1], color=BASELINE, linestyle="--", linewidth=1.2, label="perfectly calibrated")
    highest = 0.0
    for curve in curves(page):
        predicted, share, margin = reliability(curve.scores, curve.truth)
        above.errorbar(
            predicted, share, margin, color=curve.colour, marker="o", markersize=4.5, capsize=2.5, label=curve.name
        )
        highest = max(highest, float((share + margin[1]).max()), float(np.quantile(curve.scores, 0.999)))
        below.hist(
            curve.scores, bins=np.linspace(0, 1, 51), color=curve.colour, histtype="step" if _many(page) else "bar"
        )
    edge = min(1.02, highest * 1.05)
    above.set(xlim=(0, edge), ylim=(0, edge))
    above.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    above.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    below.yaxis.set_major_formatter("{x:,.0f}")
    polish(above, "", "observed share")
    polish(below, "predicted probability", "rows")
    above.legend(loc="upper left", frameon=False, fontsize=9.5)
    return figure


def reliability(scores: Floats, truth: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean score, observed share and `(2, bins)` distances to its 95 % Wilson interval, in bins of equal rows.

    Rows of equal score stay together, so there may be fewer bins than `BINS`.
    """
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, BINS + 1)[1:-1]))
    places = np.searchsorted(edges, scores, side="left")
    rows = np.bincount(places, minlength=len(edges) + 1)
    kept = rows > 0
    mean = np.bincount(places, scores, len(rows))[kept] / rows[kept]
    share = np.bincount(places, truth, len(rows))[kept] / rows[kept]
    n = rows[kept]
    centre = (share + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 / (1 + Z95**2 / n) * np.sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2))
    return mean, share, np.clip([share - (centre - half), centre + half - share], 0, None)


def _many(page: Page) -> bool:
    return page.manifest.task == "multiclass"


def _thinned(points: int) -> slice:
    """Every so many points, the last one included: more than a picture has pixels only costs time."""
    step = max(1, points // DRAWN_POINTS)
    return slice((points - 1) % step, None, step)


def _shares(axes: Axes) -> None:
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
