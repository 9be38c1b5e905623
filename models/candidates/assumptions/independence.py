"""Do rows tell of each other through their day or their group."""

import numpy as np
from matplotlib.figure import Figure
from scipy import stats
from statsmodels.stats.diagnostic import acorr_ljungbox
from statsmodels.stats.stattools import durbin_watson
from statsmodels.tsa.stattools import acf

from conf.contests import CandidateName
from models.candidates.assumptions.bins import means
from models.candidates.assumptions.check import ALL, TABULAR, Bar, Check, Seen
from models.candidates.assumptions.evidence import Evidence, residuals
from models.candidates.draw import explain, sketch
from models.evaluation.figures.page import ACCENT, BASELINE, MODEL
from models.evaluation.metrics import Floats, Ints

LAGS, LEAST, MOST, DRAWN, Z95 = 14, 10, 500_000, 400, 1.96


def look(evidence: Evidence) -> list[Seen]:
    """Correlate the mean residual of a day with that of the day before.

    Raises:
        ValueError: it is not known to which day rows belong, or there are too few days.

    """
    if evidence.pool.columns.where != "day":
        raise ValueError("nothing says in which order the rows came about")
    name, residual, key, _ = _placed(evidence)
    daily, _ = means(residual, key)
    if len(daily) < LEAST or daily.std() == 0:
        raise ValueError(f"it takes {LEAST} days whose residuals vary")
    lags = min(LAGS, len(daily) // 2 - 1)
    correlation = acf(daily, nlags=lags, fft=True)[1:]
    tested = acorr_ljungbox(daily, lags=[1]).iloc[0]
    first, largest = float(correlation[0]), int(np.abs(correlation).argmax())
    says = (
        f"The mean residual of a day and of the day before correlate by {first:.2f} over {len(daily):,} days "
        f"(Durbin-Watson {durbin_watson(daily - daily.mean()):.2f}, where 2 is none); of {lags} lags, number "
        f"{largest + 1} has most, {correlation[largest]:.2f}."
    )
    figure, axes = sketch("Mean residuals of days", "days between", "autocorrelation")
    band = Z95 / np.sqrt(len(daily))
    axes.axhspan(-band, band, color=BASELINE, alpha=0.25, linewidth=0, label="95 % of independent days")
    axes.axhline(0, color=BASELINE, linewidth=1)
    axes.vlines(np.arange(1, lags + 1), 0, correlation, color=MODEL, linewidth=2.2)
    axes.plot(np.arange(1, lags + 1), correlation, "o", color=MODEL, markersize=4.5)
    explain(figure)
    axes.set_xticks(np.arange(1, lags + 1))
    return [Seen(float(tested["lb_stat"]), float(tested["lb_pvalue"]), abs(first), says, figure, name)]


def look_within(evidence: Evidence) -> list[Seen]:
    """Find how much of the residuals' variance rows of one day or group share.

    Raises:
        ValueError: it is not known where rows belong, or there is one group, or none with two rows.

    """
    what = evidence.pool.columns.where
    if what is None:
        raise ValueError("nothing says which rows belong together")
    name, residual, key, days = _placed(evidence)
    count = np.bincount(key)
    groups, rows = len(count), len(residual)
    if groups < 2 or rows == groups or residual.std() == 0:  # noqa: PLR2004 -- a pair is compared
        raise ValueError(f"it takes two {what}s of several rows whose residuals vary")
    mean, _ = means(residual, key)
    within = float(((residual - mean[key]) ** 2).sum() / (rows - groups))
    between = float((count * (mean - residual.mean()) ** 2).sum() / (groups - 1))
    usual = (rows - float((count.astype(np.float64) ** 2).sum()) / rows) / (groups - 1)
    shared = (between - within) / (between + (usual - 1) * within)
    f = between / within if within > 0 else np.inf
    design = max(1.0, 1 + (usual - 1) * shared)
    says = (
        f"Rows of the same {what} share {max(0.0, shared):.1%} of the residuals' variance, so {rows:,} rows in "
        f"{groups:,} {what}s are worth about {rows / design:,.0f} independent ones."
    )
    figure = _draw(what, mean, count, days, residual)
    p_value = float(stats.f.sf(f, groups - 1, rows - groups))
    return [Seen(f, p_value, max(0.0, float(shared)), says, figure, name)]


def _placed(evidence: Evidence) -> tuple[CandidateName, Floats, Ints, Ints]:
    """Best candidate, its residuals (of the first output), their day or group from 0 on, and which these are."""
    name = evidence.best()
    rows, held = evidence.scored(name, MOST)
    if rows.where is None:
        raise ValueError("nothing says which rows belong together")
    keys, key = np.unique(rows.where, return_inverse=True)
    residual = next(iter(residuals(held, rows.columns).values()))
    return name, residual, key.astype(np.int64), keys


def _draw(what: str, mean: Floats, count: Ints, keys: Ints, residual: Floats) -> Figure:
    """Means beside where 95 % of them would lie were rows independent; groups in order of size."""
    days = what == "day"
    order = np.arange(len(mean)) if days else np.argsort(-count, kind="stable")
    order = order[:: max(1, -(-len(order) // DRAWN))]
    half = Z95 * residual.std() / np.sqrt(count[order])
    x = (keys[order] - keys[0]) if days else np.arange(len(order))
    beside = "days since the first" if days else f"{what}s, the one of most rows first"
    figure, axes = sketch(f"Mean residual of each {what}", beside, "mean residual")
    axes.fill_between(
        x,
        residual.mean() - half,
        residual.mean() + half,
        color=BASELINE,
        alpha=0.35,
        linewidth=0,
        label="95 % of independent rows",
    )
    axes.plot(x, mean[order], "-" if days else "o", color=MODEL, linewidth=1.1, markersize=3)
    axes.axhline(residual.mean(), color=ACCENT, linestyle="--", linewidth=1)
    explain(figure)
    return figure


CHECK = Check(
    assumption="independence in time",
    families=ALL,
    tasks=TABULAR,
    test="Ljung and Box (1978), Durbin and Watson (1950), on mean residuals of days",
    effect_name="autocorrelation of the daily mean residual at one day, absolute",
    bar=Bar(0.1, 0.3),  # small and medium correlations (Cohen 1988, section 3.2)
    advice=(
        "Split and fold by date alone, add what was known of the days before (lags, moving means) as columns, and "
        "read intervals on test as too narrow: they draw whole days as if none told anything of the next."
    ),
    look=look,
)
WITHIN = Check(
    assumption="independence of rows",
    families=ALL,
    tasks=TABULAR,
    test="F test of one-way analysis of variance; intraclass correlation ICC(1) (Shrout and Fleiss 1979)",
    effect_name="intraclass correlation of residuals",
    bar=Bar(0.01, 0.1),  # small and medium (LeBreton and Senter 2008)
    advice=(
        "Hold whole days or groups out together, add columns that tell what these have in common, and trust those "
        "intervals alone that draw whole days or groups, as those on test do where there are six."
    ),
    look=look_within,
)
