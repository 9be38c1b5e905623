"""Do classes overlap, without which a logistic regression's weights grow without end."""

import numpy as np
from matplotlib.figure import Figure
from scipy import stats
from scipy.optimize import linprog

from models.candidates.assumptions.check import CLASSES, LINEAR, Bar, Check, Seen
from models.candidates.assumptions.evidence import Evidence, Held, frequent
from models.candidates.draw import explain, plain, sketch
from models.candidates.rows import Rows
from models.evaluation.figures.page import ACCENT, MODEL
from models.evaluation.metrics import Floats, Ranking

CLASSES_SEEN, START, ROUNDS, WIDEST, NEAR, MOST = 10, 400, 20, 200, 0.9, 100_000
MARGIN = 1e-5  # least distance that counts as a gap, in deviations
PURE_ROWS = 10  # of a category, all of one class


def look(evidence: Evidence) -> list[Seen]:
    """Find how far apart scores of classes lie, and whether a plane separates a class from the rest.

    Raises:
        ValueError: there is no linear candidate, or one class alone.

    """
    name = evidence.best("linear")
    held, names = evidence.held[name], evidence.pool.columns.classes
    codes = [1] if held.scores.ndim == 1 else frequent(held.label, CLASSES_SEEN)
    found = {code: _apart(held, code) for code in codes}
    found = {code: apart for code, apart in found.items() if np.isfinite(apart[0])}
    if not found:
        raise ValueError("held-out rows are of one class")
    code = max(found, key=lambda code: found[code][0])
    apart, area, p_value = found[code]
    rows = evidence.pool.take(evidence.sample(len(evidence.pool), MOST))
    plane = [other for other in found if found[other][0] >= NEAR and separated(rows, other)]
    if plane:
        code, apart = plane[0], 1.0
    pure = _pure(rows)
    says = f"“{names[code]}” is told from the rest with AUC {found[code][1] if plane else area:.3f}"
    says += (
        f": a plane separates it without an error ({len(rows):,} rows)"
        if plane
        else f": above the best threshold are {apart:.0%} more of it than of the rest"
    )
    says += f"; {pure:.1%} of the rows have a category all of whose rows are of one class." if pure else "."
    figure = _draw(held, code, names[code])
    return [Seen(apart, p_value, apart, says, figure, name)]


def _apart(held: Held, code: int) -> tuple[float, float, float]:
    """Largest gap between the shares of the class and of the rest above a threshold (Youden 1950), AUC and p-value."""
    score = _score(held, code)
    truth = held.label == code
    if truth.all() or not truth.any():
        return np.nan, np.nan, np.nan
    ranking, ones = Ranking(score, truth), np.ones(len(score))
    positive, negative = (np.cumsum(found) / found.sum() for found in ranking.counts(ones))
    tested = stats.ks_2samp(score[truth], score[~truth], method="asymp")
    return float(np.max(positive - negative)), float(ranking.auc(ones) or np.nan), float(tested.pvalue)


def _score(held: Held, code: int) -> Floats:
    if held.scores.ndim == 1:
        return held.scores
    return held.scores[:, code]


def separated(rows: Rows, code: int) -> bool:
    """Whether a plane has all rows of a class on one side: a linear programme (Konis 2007).

    Its columns are the numbers, and categories as far as they are few. Rows enter as they are
    found on the wrong side: once those that did can't be separated, all can't. What is
    not decided after some rounds counts as not separated.
    """
    design, side = _design(rows), np.where(rows.label == code, 1.0, -1.0)
    taken = np.unique(np.linspace(0, len(side) - 1, min(START, len(side))).astype(np.int64))
    for _ in range(ROUNDS):
        plane = _plane(design[taken], side[taken])
        if plane is None:
            return False
        distance = side * (design @ plane)
        wrong = np.flatnonzero(distance < MARGIN)
        if not len(wrong):
            return True
        taken = np.union1d(taken, wrong[np.argsort(distance[wrong])[:START]])
    return False


def _plane(design: Floats, side: Floats) -> Floats | None:
    """Weights between -1 and 1 of the widest gap; None: there is none."""
    wide = design.shape[1]
    signed = np.c_[-side[:, None] * design, np.ones(len(side))]
    found = linprog(
        np.r_[np.zeros(wide), -1.0], A_ub=signed, b_ub=np.zeros(len(side)), bounds=[(-1, 1)] * wide + [(None, 1)]
    )
    return found.x[:-1] if found.success and found.x[-1] > MARGIN else None


def _design(rows: Rows) -> Floats:
    """Numbers in deviations, categories one-hot as far as they are few, and a one, `(rows, columns)`."""
    numbers = rows.numbers.astype(np.float64)
    spread = numbers.std(axis=0)
    parts = [(numbers - numbers.mean(axis=0)) / np.where(spread > 0, spread, 1), np.ones((len(rows), 1))]
    for many, code in zip(rows.columns.cardinalities, rows.codes.T, strict=True):
        if sum(part.shape[1] for part in parts) + many <= WIDEST:
            parts.append(np.eye(many)[code])
    return np.concatenate(parts, axis=1)


def _pure(rows: Rows) -> float:
    """Share of rows with a category of several rows, all of one class: its weight has no end either."""
    pure = np.zeros(len(rows), dtype=bool)
    classes = len(rows.columns.classes)
    for many, code in zip(rows.columns.cardinalities, rows.codes.T, strict=True):
        counts = np.bincount(code * classes + rows.label.astype(np.int64), minlength=many * classes)
        table = counts.reshape(many, classes)
        pure |= ((table > 0).sum(axis=1) == 1)[code] & (table.sum(axis=1) >= PURE_ROWS)[code]
    return float(pure.mean()) if len(pure) else 0.0


def _draw(held: Held, code: int, name: str) -> Figure:
    score, truth = _score(held, code), held.label == code
    edges = np.linspace(score.min(), max(score.max(), score.min() + np.finfo(np.float32).eps), 41)
    figure, axes = sketch("Classes along the linear score", f"predicted probability of “{name}”", "share of the class")
    for rows, colour, style, label in ((truth, MODEL, "-", f"“{plain(name)}”"), (~truth, ACCENT, "--", "the rest")):
        heights = np.histogram(score[rows], edges)[0] / max(rows.sum(), 1)
        axes.stairs(heights, edges, color=colour, linestyle=style, linewidth=1.6, label=label)
    axes.yaxis.set_major_formatter("{x:.0%}")
    explain(figure)
    return figure


CHECK = Check(
    assumption="overlap of classes",
    families=LINEAR,
    tasks=CLASSES,
    test="AUC, Kolmogorov and Smirnov; perfect separation by a linear programme (Albert and Anderson 1984; Konis 2007)",
    effect_name="largest difference between the classes' shares above a threshold (Youden's J)",
    bar=Bar(0.98, 1),  # only perfect separation makes weights endless; two errors in a hundred are close to it
    advice=(
        "Without a penalty the weights have no finite best values, so neither coefficients nor their errors mean "
        "anything: take ridge or lasso; the predictions' order is fine. If it is too good to be true, look for a "
        "column that knows the answer."
    ),
    look=look,
)
