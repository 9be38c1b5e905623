"""Pictures of regressors: predicted against true, how residuals are spread, and how they depend on the prediction."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.evaluation.figures.page import ACCENT, BASELINE, MODEL, Page, number, polish
from models.evaluation.metrics import Floats

HEXAGONS, SHOWN, QUANTILES, STRIPS = 60, (0.1, 99.9), (5, 50, 95), 20


def predicted_true(page: Page) -> Figure:
    """Draw the density of rows by prediction and truth; a perfect model has them on the diagonal."""
    figure = page.figure("Predicted against true", "rmse", "r2")
    axes = figure.add_subplot()
    truth, predicted = page.test.label, page.test.scores
    low, high = _bounds(np.r_[truth, predicted])
    _density(figure, axes, predicted, truth, (low, high, low, high))
    axes.plot([low, high], [low, high], color=ACCENT, linewidth=1.3, label="prediction = truth")
    mean = page.manifest.label.mean
    axes.axvline(mean, color=BASELINE, linestyle="--", linewidth=1.2, label="trivial predictor (mean of train)")
    name = page.manifest.label.name
    polish(axes, f"predicted {name}", f"true {name}")
    axes.legend(loc="upper left", fontsize=9.5, framealpha=0.9, edgecolor="none")
    return figure


def residuals(page: Page) -> Figure:
    """Draw the distribution of residuals beside the trivial predictor's."""
    figure = page.figure("Distribution of residuals", "mae", "rmse")
    axes = figure.add_subplot()
    ours, theirs = page.test.label - page.test.scores, page.test.label - page.manifest.label.mean
    low, high = _bounds(ours)
    bins = [float(edge) for edge in np.linspace(low, high, 81)]
    axes.hist(ours, bins=bins, color=MODEL, alpha=0.85, label="model")
    axes.hist(theirs, bins=bins, color=BASELINE, histtype="step", linewidth=1.3, label="trivial predictor")
    names = ("5 % quantile", "median", "95 % quantile")
    for name, style, value in zip(names, ":-:", np.percentile(ours, QUANTILES).tolist(), strict=True):
        axes.axvline(value, color=ACCENT, linestyle=style, linewidth=1.4, label=f"{name} {number(value)}")
    axes.set_xlim(low, high)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    outside = int(((ours < low) | (ours > high)).sum())
    polish(axes, f"residual: true minus predicted {page.manifest.label.name} ({outside:,} rows outside)", "rows")
    axes.legend(loc="upper right", frameon=False, fontsize=9.5)
    return figure


def residuals_by_prediction(page: Page) -> Figure:
    """Draw residuals over predictions, with their median and 5 to 95 % range in strips of equally many rows."""
    figure = page.figure("Residuals by prediction", "rmse", "mae")
    axes = figure.add_subplot()
    predicted, residual = page.test.scores, page.test.label - page.test.scores
    _density(figure, axes, predicted, residual, (*_bounds(predicted), *_bounds(residual)))
    strips = np.array_split(np.argsort(predicted, kind="stable"), min(STRIPS, len(predicted)))
    centres = [predicted[strip].mean() for strip in strips]
    low, median, high = np.array([np.percentile(residual[strip], QUANTILES) for strip in strips]).T
    axes.axhline(0, color=BASELINE, linewidth=1.2)
    axes.plot(centres, median, color=ACCENT, linewidth=1.6, label="median")
    axes.plot(centres, low, color=ACCENT, linestyle=":", linewidth=1.4, label="5 % and 95 % quantiles")
    axes.plot(centres, high, color=ACCENT, linestyle=":", linewidth=1.4)
    name = page.manifest.label.name
    polish(axes, f"predicted {name}", f"residual: true minus predicted {name}")
    axes.legend(loc="upper left", fontsize=9.5, framealpha=0.9, edgecolor="none")
    return figure


def _bounds(values: Floats) -> tuple[float, float]:
    """Where all but the outermost values lie; around a constant, which a collapsed network predicts, 1 wide."""
    low, high = np.percentile(values, SHOWN).tolist()
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def _density(figure: Figure, axes: Axes, x: Floats, y: Floats, extent: tuple[float, float, float, float]) -> None:
    """Rows per hexagon on a logarithmic scale; dots would hide how many lie upon each other."""
    shown = axes.hexbin(x, y, gridsize=HEXAGONS, extent=extent, bins="log", mincnt=1, cmap="Blues", linewidths=0.1)
    axes.set(xlim=extent[:2], ylim=extent[2:])
    bar = figure.colorbar(shown, ax=axes, fraction=0.046, pad=0.03, format="{x:,.0f}")
    bar.set_label("rows per hexagon", fontsize=9.5)
    bar.outline.set_visible(False)
