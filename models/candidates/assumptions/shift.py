"""Do test rows come from where the others came from."""

import numpy as np
from matplotlib.figure import Figure
from scipy import stats
from sklearn.ensemble import HistGradientBoostingClassifier

from models.candidates.assumptions.check import ALL, TABULAR, Bar, Check, Seen
from models.candidates.assumptions.evidence import Evidence
from models.candidates.draw import TICK, explain, plain, sketch
from models.candidates.rows import Rows
from models.evaluation.figures.page import ACCENT, INK, MODEL
from models.evaluation.metrics import Floats, Ranking

MOST, LEAST, DRAWN, NAMED, SHOWN = 12_000, 50, 10, 3, 60
BOOSTED_CODES = 255  # categories that HistGradientBoosting takes


def look(evidence: Evidence) -> list[Seen]:
    """Learn to tell pool from test on half of a sample of both, and judge on the other half.

    Raises:
        ValueError: there are too few rows of either, or no columns.

    """
    pool, test = _samples(evidence)
    columns, count = pool.columns, len(pool)
    if not columns.width:
        raise ValueError("there are no columns")
    both = np.r_[np.c_[pool.numbers, pool.codes], np.c_[test.numbers, test.codes]].astype(np.float64)
    truth = np.r_[np.zeros(count), np.ones(len(test))]
    few = [place for place, many in enumerate(columns.cardinalities) if many <= BOOSTED_CODES]
    learner = HistGradientBoostingClassifier(
        max_iter=60, max_leaf_nodes=15, min_samples_leaf=min(20, max(1, count // 10)), random_state=evidence.seed,
        early_stopping=False, categorical_features=[len(columns.numbers) + place for place in few] or None,
    )  # fmt: skip
    learn = np.random.default_rng(evidence.seed).permutation(len(truth)) % 2 == 0
    learner.fit(both[learn], truth[learn])
    score, judged = learner.predict_proba(both[~learn])[:, 1], truth[~learn]
    area = Ranking(score, judged == 1).auc(np.ones(len(judged)))
    if area is None:
        raise ValueError("rows of one side alone were drawn")
    ones, zeros = float(judged.sum()), float(len(judged) - judged.sum())
    z = (area - 0.5) / np.sqrt((ones + zeros + 1) / (12 * ones * zeros))  # Mann and Whitney (1947)
    moved = _moved(pool, test)
    told = ", ".join(f"{name} ({distance:.2f})" for name, distance in moved[:NAMED])
    says = (
        f"Boosted trees tell test rows from the others with AUC {area:.3f}; the columns that moved most (distance "
        f"between their distributions, 0 to 1) are {told} (samples of {count:,} and {len(test):,} rows)."
    )
    return [Seen(float(area), float(stats.norm.sf(z)), max(0.0, area - 0.5), says, _draw(moved[:DRAWN]))]


def look_label(evidence: Evidence) -> list[Seen]:
    """Compare the label of test rows with that of the others.

    Raises:
        ValueError: there are too few rows of either.

    """
    pool, test = evidence.pool.label, evidence.test.label
    if min(len(pool), len(test)) < LEAST:
        raise ValueError(f"it takes {LEAST} rows of either kind")
    if evidence.task == "regression":
        tested = stats.ks_2samp(pool, test, method="asymp")
        statistic, p_value, effect = float(tested.statistic), float(tested.pvalue), float(tested.statistic)
        says = f"The label's mean is {pool.mean():.4g} in the rows to learn from and {test.mean():.4g} in test"
    else:
        names = evidence.pool.columns.classes
        counts = np.stack([np.bincount(part.astype(np.int64), minlength=len(names)) for part in (pool, test)])
        shares = counts / counts.sum(axis=1, keepdims=True)
        seen = counts.sum(axis=0) > 0
        statistic, p_value = (0.0, 1.0) if seen.sum() < 2 else stats.chi2_contingency(counts[:, seen])[:2]  # noqa: PLR2004
        effect = float(np.abs(shares[0] - shares[1]).sum() / 2)
        most = int(np.abs(shares[0] - shares[1]).argmax())
        says = f"“{names[most]}” is {shares[0, most]:.1%} of the rows to learn from and {shares[1, most]:.1%} of test"
    says += f"; the distributions are {effect:.2f} apart (0 to 1)."
    figure = _draw_values(pool, test) if evidence.task == "regression" else _draw_classes(list(names), shares)
    return [Seen(float(statistic), float(p_value), effect, says, figure)]


def _samples(evidence: Evidence) -> tuple[Rows, Rows]:
    pool, test = (rows.take(evidence.sample(len(rows), MOST)) for rows in (evidence.pool, evidence.test))
    if min(len(pool), len(test)) < LEAST:
        raise ValueError(f"it takes {LEAST} rows of either kind")
    return pool, test


def _moved(pool: Rows, test: Rows) -> list[tuple[str, float]]:
    """Columns and the distance between their distributions: Kolmogorov's of numbers, total variation of categories."""
    found = [
        (name, float(stats.ks_2samp(one, other, method="asymp").statistic))
        for name, one, other in zip(pool.columns.numbers, pool.numbers.T, test.numbers.T, strict=True)
    ]
    for name, one, other in zip(pool.columns.codes, pool.codes.T, test.codes.T, strict=True):
        size = int(max(one.max(), other.max())) + 1
        shares = [np.bincount(code, minlength=size) / len(code) for code in (one, other)]
        found.append((name, float(np.abs(shares[0] - shares[1]).sum() / 2)))
    return sorted(found, key=lambda column: -column[1])


def _draw(moved: list[tuple[str, float]]) -> Figure:
    names, distances = zip(*moved[::-1], strict=True)
    figure, axes = sketch(
        "Columns that moved most", "distance of test from the others, 0 to 1", "", (5.2, 1.2 + 0.2 * len(names))
    )
    axes.hlines(range(len(names)), 0, distances, color=MODEL, linewidth=2.2)
    axes.plot(distances, range(len(names)), "o", color=MODEL, markersize=4.5)
    axes.set_yticks(range(len(names)), [plain(name, TICK) for name in names], fontsize=8.5, color=INK)
    axes.set_xlim(0, max(0.1, 1.08 * max(distances)))
    axes.grid(visible=False, axis="y")
    return figure


def _draw_values(pool: Floats, test: Floats) -> Figure:
    low, high = np.percentile(np.r_[pool, test], (0.5, 99.5))
    edges = np.linspace(low, high if high > low else low + 1, SHOWN + 1)
    figure, axes = sketch("The label", "label", "share of rows")
    for label, colour, style, name in ((pool, MODEL, "-", "to learn from"), (test, ACCENT, "--", "test")):
        axes.stairs(
            np.histogram(label, edges)[0] / len(label), edges, color=colour, linestyle=style, linewidth=1.5, label=name
        )
    axes.yaxis.set_major_formatter("{x:.0%}")
    explain(figure)
    return figure


def _draw_classes(names: list[str], shares: Floats) -> Figure:
    order = np.argsort(-np.abs(shares[0] - shares[1]), kind="stable")[:DRAWN][::-1]
    figure, axes = sketch("The label", "share of rows", "", (5.2, 1.5 + 0.24 * len(order)))
    places = np.arange(len(order))
    axes.hlines(places, *shares[:, order], color=INK, linewidth=1)
    axes.plot(shares[0, order], places, "o", color=MODEL, markersize=6, label="to learn from")
    axes.plot(shares[1, order], places, "D", color=ACCENT, markersize=5, markerfacecolor="white", label="test")
    axes.set_yticks(places, [plain(names[place], TICK) for place in order], fontsize=8.5, color=INK)
    axes.set_ylim(-0.7, len(order) - 0.3)
    axes.xaxis.set_major_formatter("{x:.0%}")
    explain(figure)
    return figure


CHECK = Check(
    assumption="same distribution in test",
    families=ALL,
    tasks=TABULAR,
    test="two-sample test by a classifier (Lopez-Paz and Oquab 2017) with the AUC of boosted trees on held-out rows",
    effect_name="AUC of telling test rows from the others, less 1/2",
    bar=Bar(0.056, 0.214),  # AUCs of Cohen's small and large shifts of a normal: 0.2 and 0.8 deviations
    advice=(
        "If these columns are but the calendar, it is no harm; else judge on the newest days, weigh rows by how much "
        "they look like test, drop columns that mean something else now, and watch them in service."
    ),
    look=look,
)
LABEL = Check(
    assumption="same label in test",
    families=ALL,
    tasks=TABULAR,
    test="Kolmogorov and Smirnov (values), chi square (classes)",
    effect_name="distance between the label's distributions (Kolmogorov's, or total variation)",
    bar=Bar(0.08, 0.197),  # distances of Cohen's small and medium shifts of a normal: 0.2 and 0.5 deviations
    advice=(
        "Expect probabilities and thresholds to be off by as much: fit on newer rows, adjust for the share of the "
        "classes (Saerens et al. 2002), and look at the metric over calendar time."
    ),
    look=look_label,
)
