"""Learning curves: the power law behind a curve, and who changes places when the rows grow."""

from collections.abc import Mapping, Sequence
from itertools import permutations

import numpy as np
from scipy.optimize import least_squares
from scipy.stats import t as student

from conf.contests import CandidateName
from conf.selecting import Curve, PowerLaw, Standing
from models.evaluation.metrics import Floats

LEAST_POINTS = 4  # the law has three parameters
LEAST_R2 = 0.5  # a law that explains less than half of the curve is none
EXPONENTS = (0.01, 2.0)  # Hestness et al. saw 0.07 to 0.35; from 2 on, the curve is flat at once
STARTS = (0.05, 0.2, 0.5, 1.0, 1.5)
CERTAIN = 0.975  # of both tails together, 95 %


def curve(rows: list[int], values: list[float], *, higher_is_better: bool) -> Curve:
    """Fit value = limit + factor * rows ** -exponent (Hestness et al. 2017, sections 2 and 4) by least squares.

    More rows never hurt in it: the factor is positive where less is better and negative else. The limit is at least 0
    of a loss and at most 1 of a score. No law: fewer than four points, a curve that does not move, or one of which no
    law explains half of the variance.

    Args:
        rows: sizes, in any order.
        values: the main metric at each of them, on the same held-out rows.
        higher_is_better: the metric's direction.

    """
    order = np.argsort(rows, kind="stable")
    sizes, seen = np.asarray(rows, dtype=np.float64)[order], np.asarray(values, dtype=np.float64)[order]
    found = Curve(rows=[int(size) for size in sizes], values=[float(value) for value in seen], law=None)
    return found.model_copy(update={"law": _law(sizes, seen, higher_is_better=higher_is_better)})


def _law(sizes: Floats, seen: Floats, *, higher_is_better: bool) -> PowerLaw | None:
    spread = float(((seen - seen.mean()) ** 2).sum())
    if len(np.unique(sizes)) < LEAST_POINTS or spread <= (1e-12 * np.abs(seen).max()) ** 2:
        return None
    sign = -1.0 if higher_is_better else 1.0
    unit, shares = float(np.ptp(seen)), sizes / sizes[-1]  # so that all three parameters are near 1
    edge = max(sign * seen[-1], 0.0) if sign > 0 else max(1.0, float(seen.max()))
    low = 0.0 if sign > 0 else -np.inf
    high = np.inf if sign > 0 else edge

    def gaps(law: Floats) -> Floats:
        return np.asarray((law[0] + sign * unit * law[1] * shares ** -law[2] - seen) / unit, dtype=np.float64)

    best = None
    for start in STARTS:
        first = np.array([np.clip(seen[-1] - sign * 0.1 * unit, low, high), 0.1, start])
        bounds = ([low, 0.0, EXPONENTS[0]], [high, np.inf, EXPONENTS[1]])
        fitted = least_squares(gaps, first, bounds=bounds, x_scale=[max(unit, 1e-12), 1.0, 1.0], max_nfev=2_000)
        best = fitted if best is None or fitted.cost < best.cost else best
    if best is None:
        return None
    limit, factor, exponent = (float(part) for part in best.x)
    r2 = 1 - float((gaps(best.x) ** 2).sum()) * unit**2 / spread
    if r2 < LEAST_R2:
        return None
    doubled, tenfold = (limit + sign * unit * factor * more**-exponent for more in (2.0, 10.0))
    return PowerLaw(
        limit=limit,
        factor=sign * unit * factor * float(sizes[-1]) ** exponent,
        exponent=exponent,
        r2=r2,
        doubled=doubled,
        tenfold=tenfold,
    )


def moves(
    standings: Sequence[Standing], *, higher_is_better: bool, names: Mapping[str, str] | None = None
) -> list[str]:
    """Say in sentences who is overtaken between the smallest and the largest size that two have in common.

    A place has changed where one candidate led another on the smallest size and trails it on the largest, each time by
    more than the gap's noise: Student's t (95 %) times the standard deviation of the paired gap over folds, since each
    point of a curve comes from one fold.

    Args:
        standings: of all candidates; pairs without two sizes in common, or with one fold, are left out.
        higher_is_better: the metric's direction.
        names: what to call each candidate; None: by its own name.

    """
    overtakers: dict[tuple[str, int, int], list[str]] = {}
    for early, late in permutations(standings, 2):
        if (sizes := _in_common(early, late)) is None:
            continue
        noise = _noise(early, late)
        lead, trail = (_gap(early, late, rows, higher_is_better=higher_is_better) for rows in sizes)
        if lead > noise and trail < -noise:
            overtakers.setdefault((early.candidate, *sizes), []).append(late.candidate)
    called = names or {each.candidate: each.candidate for each in standings}
    return [
        f"On {few:,} rows {called[early]} is ahead of {_listed([called[each] for each in late])}; on {many:,} rows it "
        "is behind, by more than the folds vary."
        for (early, few, many), late in overtakers.items()
    ]


def uncompared(standings: Sequence[Standing]) -> list[CandidateName]:
    """Those of several that have no two sizes in common with anybody, and so were not compared."""
    single = [each for each in standings if each.mean is not None and not each.members]
    shared = {one.candidate for one, other in permutations(single, 2) if len(_shared(one, other)) > 1}
    return [each.candidate for each in single if each.candidate not in shared] if len(single) > 1 else []


def _shared(one: Standing, other: Standing) -> set[int]:
    return set(one.curve.rows) & set(other.curve.rows)


def _in_common(one: Standing, other: Standing) -> tuple[int, int] | None:
    """The smallest and the largest size that both have; None: these are one, or folds tell no noise."""
    shared = _shared(one, other)
    if len(shared) < 2 or len(one.folds) != len(other.folds) or len(one.folds) < 2:  # noqa: PLR2004 -- no pair, or no spread
        return None
    return min(shared), max(shared)


def _noise(one: Standing, other: Standing) -> float:
    gaps = np.asarray(one.folds) - np.asarray(other.folds)
    return float(student.ppf(CERTAIN, len(gaps) - 1) * gaps.std(ddof=1))


def _gap(one: Standing, other: Standing, rows: int, *, higher_is_better: bool) -> float:
    first, second = (each.curve.values[each.curve.rows.index(rows)] for each in (one, other))
    gap = first - second
    return gap if higher_is_better else -gap


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
