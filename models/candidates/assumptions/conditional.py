"""Are columns independent of each other once the class is known, as naive Bayes and weights read one by one assume.

Of a regression it is not asked: columns that make up the label together are tied by knowing it.
"""

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from models.candidates.assumptions.bins import means
from models.candidates.assumptions.check import CLASSES, LINEAR, Bar, Check, Seen
from models.candidates.assumptions.evidence import Evidence
from models.candidates.draw import TICK, plain, sketch
from models.evaluation.figures.page import INK
from models.evaluation.metrics import Floats

MOST, DRAWN, NAMED, LEAST, WRITTEN = 100_000, 12, 3, 50, 8
DOUBTFUL, DARK = 0.3, 0.6


def look(evidence: Evidence) -> list[Seen]:
    """Correlate the numbers within classes.

    Raises:
        ValueError: there are too few rows, or fewer than two numbers that vary.

    """
    rows = evidence.pool.take(evidence.sample(len(evidence.pool), MOST))
    if len(rows) < LEAST or not rows.columns.numbers:
        raise ValueError(f"it takes {LEAST} rows, and numbers")
    given = np.unique(rows.label, return_inverse=True)[1]
    left = np.stack([column - means(column, given)[0][given] for column in rows.numbers.T.astype(np.float64)], axis=1)
    varies = left.std(axis=0) > np.finfo(np.float32).eps
    names = [name for name, kept in zip(rows.columns.numbers, varies, strict=True) if kept]
    if len(names) < 2:  # noqa: PLR2004 -- a pair is compared
        raise ValueError("it takes two numbers that vary")
    correlation = np.corrcoef(left[:, varies], rowvar=False)
    size = np.triu(np.abs(correlation), 1)
    first = [divmod(int(place), len(names)) for place in np.argsort(-size, axis=None)[:NAMED]]
    effect = min(1.0, float(size.max()))
    freedom = max(1, len(rows) - int(given.max()) - 2)
    t = effect * np.sqrt(freedom / max(1 - effect**2, np.finfo(np.float64).eps))
    pairs = len(names) * (len(names) - 1) / 2
    p_value = min(1.0, pairs * 2 * float(stats.t.sf(t, freedom)))  # Bonferroni: the largest of so many
    told = [
        f"{names[one]} and {names[other]} ({correlation[one, other]:.2f})" for one, other in first if size[one, other]
    ]
    says = (
        f"Given the class, the closest numbers are {', '.join(told)}; {(size >= DOUBTFUL).sum():,} of {pairs:,.0f} "
        f"pairs reach {DOUBTFUL} ({len(rows):,} rows)."
    )
    return [Seen(float(t), p_value, effect, says, _draw(names, correlation))]


def _draw(names: list[str], correlation: Floats) -> Figure:
    """Draw the columns with the closest partner."""
    closest = (np.abs(correlation) - np.eye(len(names))).max(axis=1)
    shown = np.sort(np.argsort(-closest, kind="stable")[:DRAWN])
    part = correlation[np.ix_(shown, shown)]
    figure, axes = sketch("Correlations given the class", "", "", inches=(5.2, 4.6))
    image = axes.imshow(np.abs(np.where(np.eye(len(shown)), np.nan, part)), cmap="Greys", vmin=0, vmax=1)
    if len(shown) <= WRITTEN:
        for row, column in zip(*np.nonzero(~np.eye(len(shown), dtype=bool)), strict=True):
            colour = "white" if abs(part[row, column]) > DARK else INK
            axes.text(column, row, f"{part[row, column]:.2f}", ha="center", va="center", color=colour, fontsize=8)
    labels = [plain(names[place], TICK) for place in shown]
    axes.set_xticks(range(len(shown)), labels, rotation=90, fontsize=8)
    axes.set_yticks(range(len(shown)), labels, fontsize=8)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    bar = figure.colorbar(image, ax=axes, fraction=0.046, pad=0.03)
    bar.set_label("absolute correlation", fontsize=9.5, color=INK)
    bar.outline.set_visible(False)
    return figure


CHECK = Check(
    assumption="conditional independence",
    families=LINEAR,
    tasks=CLASSES,
    test="t test of correlations within classes, Bonferroni-corrected",
    effect_name="largest absolute correlation of two numbers given the class",
    bar=Bar(DOUBTFUL, 0.5),  # medium and large (Cohen 1988, section 3.2)
    advice=(
        "Do not read a column's weight as what it does alone, and take no model that multiplies the columns' evidence "
        "(naive Bayes); drop one of a pair, or take their mean and their difference."
    ),
    look=look,
)
