"""Is the response to each column a straight line, and is it smooth."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from models.candidates.assumptions.bins import Share, explained, means, quantile_bins, without_line, without_lines
from models.candidates.assumptions.check import LINEAR, TABULAR, Bar, Check, Seen
from models.candidates.assumptions.evidence import Evidence, residuals, targets
from models.candidates.draw import explain, sketch
from models.evaluation.figures.page import BASELINE, MODEL
from models.evaluation.metrics import Floats, Ints

BINS, FINE, MOST, LEAST, NAMED, Z95 = 20, 12, 50_000, 200, 3, 1.96
ROWS_A_BIN = 25
BAR = Bar(0.01, 0.06)  # small and medium shares of variance (Cohen 1988, section 8.2)


class Bent(NamedTuple):
    """How much of an output a column explains beyond what it should."""

    column: str
    output: str
    share: Share
    x: Floats
    y: Floats
    bins: Ints


def look(evidence: Evidence) -> list[Seen]:
    """Find the share of the best linear candidate's residuals that a curve over one column would explain.

    Raises:
        ValueError: there is no such candidate, too few rows, or no column has three values.

    """
    name = evidence.best("linear")
    rows, held = evidence.scored(name, MOST)
    scores = {"the prediction": held.scores} if held.scores.ndim == 1 else {}
    columns = dict(zip(rows.columns.numbers, rows.numbers.T.astype(np.float64), strict=True)) | scores
    found = list(_curves(columns, residuals(held, rows.columns)))
    return [replace(_seen(found, len(held.label), "a curve", "residuals", "Residuals over"), candidate=name)]


def look_smooth(evidence: Evidence) -> list[Seen]:
    """Find the share of the label that steps too fine for a smooth curve explain.

    Raises:
        ValueError: there are too few rows, or no column has values enough.

    """
    rows = evidence.pool.take(evidence.sample(len(evidence.pool), MOST))
    columns = dict(zip(rows.columns.numbers, rows.numbers.T.astype(np.float64), strict=True))
    found = list(_steps(columns, targets(rows)))
    return [_seen(found, len(rows), "fine steps", "label", "Label less a smooth curve, over")]


def _curves(columns: dict[str, Floats], outputs: dict[str, Floats]) -> Iterator[Bent]:
    """What bins explain that a line does not (a lack-of-fit test of the kind of Ramsey's RESET, 1969)."""
    for column, x in columns.items():
        bins = quantile_bins(x, min(BINS, max(2, len(x) // ROWS_A_BIN)))
        for output, values in outputs.items():
            y = without_line(values, x)
            share = explained(y, bins, fitted=2)
            if share is not None:
                yield Bent(column, output, share, x, y, bins)


def _steps(columns: dict[str, Floats], outputs: dict[str, Floats]) -> Iterator[Bent]:
    """What bins explain that a line within each of some wide bins does not."""
    for column, x in columns.items():
        wide_bins = min(BINS, len(x) // (ROWS_A_BIN * FINE))
        edges = np.quantile(x, np.linspace(0, 1, wide_bins * FINE + 1)[1:-1])
        wide = np.unique(np.searchsorted(np.unique(edges[FINE - 1 :: FINE]), x), return_inverse=True)[1]
        fine = np.unique(np.searchsorted(np.unique(edges), x), return_inverse=True)[1]
        for output, values in outputs.items():
            y = without_lines(values, x, wide)
            share = explained(y, fine, fitted=2 * (int(wide.max()) + 1))
            if share is not None:
                yield Bent(column, output, share, x, y, fine)


def _seen(found: list[Bent], rows: int, what: str, whose: str, title: str) -> Seen:
    if rows < LEAST or not found:
        raise ValueError(f"it takes {LEAST} rows, and a number of more than a few values")
    found.sort(key=lambda bent: -bent.share.share)
    worst = found[0]
    names = dict.fromkeys(bent.column for bent in found if bent.share.share >= BAR.doubtful)
    others = f"; so do {', '.join(list(names)[1 : NAMED + 1])}" if len(names) > 1 else ""
    output = "" if worst.output == "label" else f" of {worst.output}"
    says = (
        f"{what.capitalize()} over {worst.column} would explain {worst.share.share:.1%} of the variance of the "
        f"{whose}{output}{others} (each by itself, {rows:,} rows)."
    )
    p_value = min(1.0, worst.share.p_value * len(found))  # Bonferroni: the largest of so many
    figure = _draw(worst, f"{title} {worst.column}")
    return Seen(worst.share.f, p_value, worst.share.share, says, figure)


def _draw(bent: Bent, title: str) -> Figure:
    mean, error = means(bent.y, bent.bins)
    centres, _ = means(bent.x, bent.bins)
    figure, axes = sketch(
        title, f"{bent.column}", "mean, less the line" if len(mean) <= BINS else "mean of what is left"
    )
    axes.axhline(0, color=BASELINE, linestyle="--", linewidth=1.3, label="straight" if len(mean) <= BINS else "smooth")
    if len(mean) <= BINS:
        axes.errorbar(
            centres,
            mean,
            Z95 * error,
            fmt="o-",
            color=MODEL,
            markersize=4,
            capsize=2.5,
            linewidth=1.2,
            label="mean of a bin, 95 % interval",
        )
    else:
        axes.fill_between(
            centres, -Z95 * error, Z95 * error, color=BASELINE, alpha=0.35, linewidth=0, label="95 % of smooth ones"
        )
        axes.plot(centres, mean, color=MODEL, linewidth=1, label="mean of a bin")
    explain(figure)
    return figure


CHECK = Check(
    assumption="linearity of response",
    families=LINEAR,
    tasks=TABULAR,
    test="F test of lack of fit in bins of each column, Bonferroni-corrected (cf. Ramsey 1969)",
    effect_name="largest share of residual variance that a curve over one column explains (epsilon squared)",
    bar=BAR,
    advice=(
        "Give the linear model that column as splines, bins, a logarithm or a square, or take a candidate that bends "
        "by itself."
    ),
    look=look,
)
SMOOTH = Check(
    assumption="smoothness of response",
    families=("linear", "network"),
    tasks=TABULAR,
    test="F test of fine bins against lines in wide ones, Bonferroni-corrected (cf. Grinsztajn et al. 2022, s. 5.2)",
    effect_name="largest share of the label's variance in steps that no smooth curve follows (epsilon squared)",
    bar=BAR,
    advice=(
        "Trees follow steps, and networks need piecewise-linear or periodic embeddings of that column; or make a "
        "category of it, if its values are names in truth."
    ),
    look=look_smooth,
)
