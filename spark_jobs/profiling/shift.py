"""How far two sets of rows are apart in one column, by bins that both have."""

from collections.abc import Sequence
from math import log, sqrt

from conf.manifest import SplitName
from conf.profile import NumberProfile, Profile, WordProfile

NOTABLE = 0.1  # from here on a shift is called moderate, from 0.25 on large (Siddiqi 2006, Credit Risk Scorecards)
HALF = 0.5  # row that is added to each bin, so that an empty one is no infinity
ONE_PER_CENT = 2.326  # deviations of a normal distribution that one in a hundred exceeds


def bins(profile: Profile, name: str, split: SplitName) -> list[float]:
    """Return the rows of a split in each bin of a column; then, of words, all others; then those without a value.

    Of numbers these are sampled rows.
    """
    column, rows = profile.columns[name], profile.rows[split]
    missing = column.splits[split].missing
    if isinstance(column, NumberProfile):
        return [*column.splits[split].histogram, missing * profile.sampled[split] / rows]
    if isinstance(column, WordProfile):
        counts = column.splits[split].counts
        return [*counts, rows - missing - sum(counts), missing]
    return [rows - missing, missing]


def psi(before: Sequence[float], after: Sequence[float]) -> float:
    """Return the population stability index: sum of (q - p) ln(q / p) over bins; bins that both lack say nothing."""
    pairs = [(p, q) for p, q in zip(before, after, strict=True) if p or q]
    n, m = sum(before) + HALF * len(pairs), sum(after) + HALF * len(pairs)
    shares = [((p + HALF) / n, (q + HALF) / m) for p, q in pairs]
    return sum((q - p) * log(q / p) for p, q in shares)


def by_chance(before: Sequence[float], after: Sequence[float]) -> float:
    """Return the index that one in a hundred pairs of samples of one distribution exceeds.

    It is chi-squared, times 1/n + 1/m (Yurdakul 2018); its quantile is Wilson and Hilferty's (1931).
    """
    free = sum(1 for p, q in zip(before, after, strict=True) if p or q) - 1
    if not free:
        return 0.0
    part = 2 / (9 * free)
    root = 1 - part + ONE_PER_CENT * sqrt(part)
    return (1 / sum(before) + 1 / sum(after)) * free * root * root * root


def shifted(profile: Profile, name: str, split: SplitName) -> tuple[float, bool]:
    """Return the index from train to a split, and whether it is notable: at least `NOTABLE`, and more than chance."""
    before, after = bins(profile, name, "train"), bins(profile, name, split)
    index = psi(before, after)
    return index, index >= max(NOTABLE, by_chance(before, after))
