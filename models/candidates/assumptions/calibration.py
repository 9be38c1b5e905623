"""Is a probability the share of rows that it is said of."""

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from conf.contests import CandidateName
from models.candidates.assumptions.bins import quantile_bins
from models.candidates.assumptions.check import ALL, CLASSES, Bar, Check, Seen
from models.candidates.assumptions.evidence import Evidence, Held
from models.candidates.draw import explain, sketch
from models.evaluation.figures.classes import reliability
from models.evaluation.figures.page import BASELINE, MODEL
from models.evaluation.metrics import Floats, Ints

BINS, LEAST = 15, 30


def look(evidence: Evidence) -> list[Seen]:
    """Compare probabilities with shares, for the best candidate of each family.

    Raises:
        ValueError: nobody has finite held-out scores.

    """
    best: dict[str, CandidateName] = {}
    for name in evidence.ranking:
        best.setdefault(evidence.families[name], name)
    if not best:
        raise ValueError("nobody has finite held-out scores")
    return [_seen(evidence, name) for name in sorted(best.values(), key=evidence.ranking.index)]


def _seen(evidence: Evidence, name: CandidateName) -> Seen:
    sure, hit, whose = _said(evidence.held[name], evidence.pool.columns.classes)
    family = (evidence.families[name],)
    if len(sure) < LEAST:
        return Seen(None, None, np.nan, f"it takes {LEAST} rows", None, name, family)
    bins = quantile_bins(sure, BINS)
    rows = np.bincount(bins)
    said, found = np.bincount(bins, sure) / rows, np.bincount(bins, hit) / rows
    gap = float((rows * np.abs(said - found)).sum() / len(sure))
    # Chance alone leaves gaps; what it would leave on average is taken off (Bröcker 2012; Kumar et al. 2019).
    noise = float((rows * np.sqrt(2 / np.pi * np.maximum(said * (1 - said), 0) / rows)).sum() / len(sure))
    reliable = float((rows * (said - found) ** 2).sum() / len(sure))
    effect = np.sqrt(max(0.0, gap**2 - noise**2))
    variance = float(((1 - 2 * sure) ** 2 * sure * (1 - sure)).sum())
    z = float(((hit - sure) * (1 - 2 * sure)).sum()) / np.sqrt(variance) if variance > 0 else 0.0
    says = (
        f"Probabilities of {whose} miss the observed shares by {100 * effect:.1f} points of a hundred on "
        f"average, chance taken off; unreliability makes up {reliable:.4f} of the Brier score of "
        f"{np.mean((hit - sure) ** 2):.4f} (Spiegelhalter's z {z:.1f})."
    )
    chi, p_value = _chi_square(said, found, rows)
    return Seen(chi, p_value, float(effect), says, _draw(sure, hit, whose), name, family)


def _chi_square(said: Floats, found: Floats, rows: Ints) -> tuple[float | None, float | None]:
    """Chi square over bins (Hosmer and Lemeshow 1980); held-out rows cost no degrees of freedom."""
    variance = said * (1 - said) / rows
    used = variance > 0
    if not used.any():
        return None, None
    chi = float(((said - found)[used] ** 2 / variance[used]).sum())
    return chi, float(stats.chi2.sf(chi, used.sum()))


def _said(held: Held, classes: tuple[str, ...]) -> tuple[Floats, Floats, str]:
    """Probability, whether it came true, and of what: class 1, or of several the likeliest (Guo et al. 2017)."""
    if held.scores.ndim == 1:
        return np.clip(held.scores, 0, 1), (held.label == 1) * 1.0, f"“{classes[1]}”"
    sure = np.clip(held.scores.max(axis=1), 0, 1)
    return sure, (held.scores.argmax(axis=1) == held.label) * 1.0, "the likeliest class"


def _draw(sure: Floats, hit: Floats, whose: str) -> Figure:
    said, share, margin = reliability(sure, hit)
    figure, axes = sketch("Reliability", f"predicted probability of {whose}", "observed share")
    axes.plot([0, 1], [0, 1], color=BASELINE, linestyle="--", linewidth=1.3, label="calibrated")
    axes.errorbar(
        said,
        share,
        margin,
        color=MODEL,
        fmt="o-",
        markersize=4,
        capsize=2.5,
        linewidth=1.2,
        label="tenths of the rows, 95 % interval",
    )
    low, high = min(said.min(), (share - margin[0]).min()), max(said.max(), (share + margin[1]).max())
    room = 0.05 * (high - low)
    axes.set(xlim=(low - room, high + room), ylim=(low - room, high + room))
    explain(figure)
    return figure


CHECK = Check(
    assumption="calibration",
    families=ALL,
    tasks=CLASSES,
    test="Hosmer and Lemeshow's chi square (1980) and Spiegelhalter's z (1986), on held-out rows",
    effect_name="expected calibration error (Naeini et al. 2015), beyond chance",
    # A decision by costs moves by as many points as the probability is off: two of a hundred are below what costs are
    # known to, five are what Guo et al. (2017) set out to mend.
    bar=Bar(0.02, 0.05),
    advice="Order is right even so; where probabilities are used, calibrate on held-out rows (Platt, isotonic).",
    look=look,
)
