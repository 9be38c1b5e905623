"""Can the weights of a linear model's columns be told apart."""

import numpy as np
from matplotlib.figure import Figure

from models.candidates.assumptions.check import LINEAR, TABULAR, Bar, Check, Seen
from models.candidates.assumptions.evidence import Evidence
from models.candidates.draw import TICK, explain, plain, sketch
from models.candidates.rows import Rows
from models.evaluation.figures.page import ACCENT, BASELINE, INK, MODEL
from models.evaluation.metrics import Floats

MOST, DRAWN, NAMED = 100_000, 15, 5
SAME = 1e-6  # 1 - |correlation| of columns that are one; numbers are float32
SINGULAR = 1e-7  # least eigenvalue of a correlation matrix of float32 columns that still says something
DOUBTFUL, BROKEN = 5, 10


def look(evidence: Evidence) -> list[Seen]:
    """Find variance inflation factors of the numbers, and columns that are constant or the same.

    Raises:
        ValueError: fewer than two numbers vary, or there are fewer rows than columns.

    """
    rows = evidence.pool.take(evidence.sample(len(evidence.pool), MOST))
    numbers = rows.numbers.astype(np.float64)
    varies = numbers.std(axis=0) > SAME if len(rows) else np.zeros(numbers.shape[1], dtype=bool)
    names = [name for name, kept in zip(rows.columns.numbers, varies, strict=True) if kept]
    if len(names) < 2 or len(rows) <= len(names):  # noqa: PLR2004 -- a pair is compared
        raise ValueError("it takes two numbers that vary, and more rows than columns")
    correlation = np.asarray(np.corrcoef(numbers[:, varies], rowvar=False))
    values, vectors = np.linalg.eigh(correlation)
    # The diagonal of the inverse; what is singular stays finite, and is far above any bar.
    inflation = (vectors**2 / np.maximum(values, SINGULAR)).sum(axis=1)
    condition = float(np.sqrt(values[-1] / max(values[0], SINGULAR)))
    most = int(inflation.argmax())
    constant = [name for name, kept in zip(rows.columns.numbers, varies, strict=True) if not kept]
    constant += [name for name, code in zip(rows.columns.codes, rows.codes.T, strict=True) if np.ptp(code) == 0]
    same = _same(rows, names, correlation)
    says = f"The largest variance inflation factor is {_factor(inflation[most])}, of {names[most]}"
    says += f"; the condition number is {condition:,.0f}" + _listed("always the same value", constant)
    says += _listed("one and the same column", same)
    says += f" ({len(rows):,} rows)."
    return [Seen(condition, None, float(inflation[most]), says, _draw(names, inflation))]


def _same(rows: Rows, names: list[str], correlation: Floats) -> list[str]:
    """Pairs of columns of which one is made of the other: numbers by a line, codes by another numbering."""
    pairs = [f"{names[one]} = {names[other]}" for one, other in np.argwhere(np.triu(np.abs(correlation), 1) > 1 - SAME)]
    seen: dict[bytes, str] = {}
    for name, code in zip(rows.columns.codes, rows.codes.T, strict=True):
        _, first, number = np.unique(code, return_index=True, return_inverse=True)
        key = first[number].astype(np.int64).tobytes()  # where a row's code stood first, whatever its number
        if len(first) > 1 and key in seen:
            pairs.append(f"{seen[key]} = {name}")
        seen.setdefault(key, name)
    return pairs


def _listed(what: str, names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"; {what}: {', '.join(names[:NAMED])}{more}" if names else ""


def _factor(value: float) -> str:
    return "beyond all measure" if value > 0.1 / SINGULAR else f"{value:,.1f}"


def _draw(names: list[str], inflation: Floats) -> Figure:
    order = np.argsort(-inflation, kind="stable")[:DRAWN][::-1]
    figure, axes = sketch("Variance inflation", "variance inflation factor", "", inches=(5.2, 1.5 + 0.2 * len(order)))
    places = np.arange(len(order))
    axes.hlines(places, 1, inflation[order], color=MODEL, linewidth=2.2)
    axes.plot(inflation[order], places, "o", color=MODEL, markersize=4.5)
    axes.set_yticks(places, [plain(names[place], TICK) for place in order], fontsize=8.5, color=INK)
    axes.set_xscale("log")
    axes.axvline(DOUBTFUL, color=BASELINE, linestyle=":", linewidth=1.5, label=f"{DOUBTFUL}: doubtful")
    axes.axvline(BROKEN, color=ACCENT, linestyle="--", linewidth=1.3, label=f"{BROKEN}: too much")
    axes.grid(visible=False, axis="y")
    axes.set_xlim(0.9, max(2 * BROKEN, 1.3 * float(inflation.max())))
    explain(figure)
    return figure


CHECK = Check(
    assumption="no multicollinearity",
    families=LINEAR,
    tasks=TABULAR,
    test="condition number of the numbers' correlations (Belsley, Kuh and Welsch 1980)",
    effect_name="largest variance inflation factor",
    bar=Bar(DOUBTFUL, BROKEN),  # Marquardt (1970); O'Brien (2007) on how little it says of predictions
    advice=(
        "Predictions do not suffer, weights do: drop columns that others make up, or take ridge, and read no "
        "coefficient of such a column by itself."
    ),
    look=look,
)
