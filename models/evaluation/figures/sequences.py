"""Pictures of what is said of sequences."""

import numpy as np
from matplotlib.figure import Figure

from models.evaluation.figures.page import BASELINE, MODEL, Page, polish
from models.evaluation.metrics import trivial


def losses(page: Page) -> Figure:
    """Draw how the rows' losses are spread, beside those of the trivial predictor."""
    figure = page.figure("Loss of rows", "log_loss", "bits_per_token", "accuracy")
    axes = figure.add_subplot()
    ours = page.test.scores[:, 0]
    theirs = trivial(page.manifest.task, page.manifest.label, page.test.label)[:, 0]
    bins = [float(edge) for edge in np.linspace(0, np.percentile(np.r_[ours, theirs], 99.9), 61)]
    axes.hist(ours, bins=bins, color=MODEL, alpha=0.85, label="model")
    axes.hist(theirs, bins=bins, color=BASELINE, histtype="step", linewidth=1.3, label="trivial predictor")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    polish(axes, "log loss of a row's tokens, in nats", "rows")
    axes.legend(loc="best", frameon=False, fontsize=9.5)
    return figure
