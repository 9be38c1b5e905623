"""Which candidate is recommended: a more complex one must earn its place."""

import string
from collections.abc import Mapping, Sequence

import numpy as np

from conf.contests import CandidateName, Limits, size_bytes
from conf.errors import FranklinError
from conf.selecting import Latency, Recommendation, Standing
from models.candidates.standings import Scale

QUICKER = 10  # times, from which on it is told
NO_DEARER = 1.25  # times, up to which a cost is no higher: noise of its measuring


def recommend(standings: Sequence[Standing], scale: Scale, limits: Limits) -> Recommendation:
    """Climb to the first candidate within one standard error of the best (Breiman et al. 1984, section 3.4.3).

    The best is that of those that keep the limits. Whoever is not better than the best baseline beyond noise has not
    earned a place on the ladder; if nobody is, a baseline is recommended. Nor has an ensemble that is not better than
    the best of its members beyond noise: it is so much like them that its gap to them is soon more than an error. If
    nobody keeps the limits, those take part that come nearest to keeping them.

    Args:
        standings: in order of simplicity.
        scale: how they are compared.
        limits: to be kept.

    Raises:
        FranklinError: no candidate has got through.

    """
    there = [each for each in standings if each.mean is not None and each.test]
    if not there:
        failed = next((f"{each.candidate}: {each.failure}" for each in standings if each.failure), "nobody took part")
        raise FranklinError(f"none of {len(standings)} candidates could be fitted; the first failed with {failed}")
    broken = {each.candidate: excess(each, limits) for each in there}
    keeping = [each for each in there if not broken[each.candidate]]
    nearest = min(max(broken[each.candidate].values(), default=0.0) for each in there)
    among = keeping or [each for each in there if max(broken[each.candidate].values()) <= nearest]
    earned = _earned(among, scale)
    reference, best = scale.best(earned), scale.best(there)
    chosen = next(each for each in earned if _within(each, reference, scale))
    refused = {
        each.candidate: _broken(broken[each.candidate])
        for each in there
        if broken[each.candidate] and each is not chosen and _within(each, best, scale)
    }
    unearned = best if best.members and best in among and best is not reference else None
    why = _why(chosen, reference, scale, kept=bool(keeping), limited=_limited(limits), broken=broken, unearned=unearned)
    return Recommendation(
        candidate=chosen.candidate,
        best=best.candidate,
        why=why,
        given_up=" ".join(
            filter(
                None,
                [
                    _given_up(chosen, best, scale),
                    _ahead(chosen, earned, scale),
                    _quicker(chosen, reference, among, scale),
                ],
            )
        ),
        refused=refused,
    )


def excess(standing: Standing, limits: Limits) -> dict[str, float]:
    """Limits that a candidate breaks, in words, and how many times too much it takes; infinite: nobody measured it.

    The limit of latency is of the 99th percentile. Where predictions were too few for one, the median breaks it, or
    nobody measured it. The limit of processor-seconds is of a fit on all rows, so what is predicted for these counts
    where there was time for a share of them.
    """
    whole = standing.whole_processor_seconds
    paid = standing.processor_seconds if whole is None else whole
    latency = _row_seconds(standing.latency, limits.latency_seconds)
    most = size_bytes(limits.size) if limits.size else None
    return {
        words: float("inf") if has is None else has / limit
        for words, has, limit in (
            (
                f"{limits.latency_seconds:g} s for a row" if limits.latency_seconds else "",
                latency,
                limits.latency_seconds,
            ),
            (f"{limits.size} on disk", standing.size_bytes, most),
            (f"{limits.processor_seconds} processor-seconds", paid, limits.processor_seconds),
        )
        if limit is not None and (has is None or has > limit)
    }


def _row_seconds(latency: Latency | None, limit: float | None) -> float | None:
    """Seconds of a row to hold against a limit; None: they don't tell whether it is kept."""
    if latency is None or limit is None:
        return None
    if latency.one_p99_seconds is None and latency.one_p50_seconds > limit:
        return latency.one_p50_seconds  # the 99th percentile is no less
    return latency.one_p99_seconds


def letters(standings: Sequence[Standing], key: str) -> dict[str, str]:
    """A letter for each candidate, in an order that is the same for the same key alone, such as a run's id."""
    order = np.random.default_rng(list(key.encode())).permutation(len(standings))
    return {each.candidate: string.ascii_uppercase[place] for each, place in zip(standings, order, strict=True)}


def _earned(among: Sequence[Standing], scale: Scale) -> Sequence[Standing]:
    """Leave those that have earned their place, in order of simplicity; of one fold, the simplest ones."""
    baselines = [each for each in among if each.family == "baseline"]
    if baselines:
        bar = scale.best(baselines)
        earned = [each for each in among if each.family != "baseline" and scale.beats(each.folds, bar.folds)]
        among = earned or baselines
    single = [each for each in among if not each.members]
    if single:
        bar = scale.best(single)
        among = [each for each in among if not each.members or scale.beats(each.folds, bar.folds)]
    return among


def _noise(error: float) -> str:
    return f"standard error {error:.2g}" if np.isfinite(error) else "standard error unknown, of one fold"


def _within(standing: Standing, best: Standing, scale: Scale) -> bool:
    behind, error = scale.gap(standing.folds, best.folds)
    return standing is best or behind <= error


def _broken(excess: Mapping[str, float]) -> str:
    """Say which limits are broken, and which nobody has measured."""
    broke = " and ".join(words for words, times in excess.items() if np.isfinite(times))
    unmeasured = " and ".join(words for words, times in excess.items() if not np.isfinite(times))
    said = [f"breaks the limit of {broke}"] if broke else []
    return " and ".join([*said, f"was not measured against the limit of {unmeasured}"] if unmeasured else said)


def _limited(limits: Limits) -> bool:
    return any(limit is not None for limit in (limits.latency_seconds, limits.size, limits.processor_seconds))


def _why(
    chosen: Standing,
    best: Standing,
    scale: Scale,
    *,
    kept: bool,
    limited: bool,
    broken: Mapping[CandidateName, dict[str, float]],
    unearned: Standing | None,
) -> str:
    """Two sentences; `unearned` is an ensemble that has the best mean, but not beyond noise."""
    folds = f"{len(chosen.folds)} folds" if len(chosen.folds) > 1 else "one fold"
    over = f"{scale.metric.title} {chosen.mean:.4g} over {folds}"
    behind, error = scale.gap(chosen.folds, best.folds)
    alone, tail = "", ""
    if unearned:
        alone = " single candidate"
        tail = f", and the {unearned.candidate} with {unearned.mean:.4g} is not better beyond noise"
    if chosen.family == "baseline":
        first = f"Nothing is better than {chosen.candidate}, a baseline with {over}, beyond noise."
    elif chosen is best:
        simpler = "nothing simpler is within one standard error of it"
        first = f"{chosen.candidate} is the best{alone} with {over}, {'' if tail else 'and '}{simpler}{tail}."
    else:
        first = (
            f"{chosen.candidate} with {over} is the simplest within one standard error of the best{alone}, "
            f"{best.candidate} with {best.mean:.4g} (gap {behind:.2g}, {_noise(error)}){tail}."
        )
    if not kept:
        return f"{first} Nobody keeps the limits; this one comes nearest and {_broken(broken[chosen.candidate])}."
    cost = f"It {_answers(chosen.latency)} and was fitted in {_two(chosen.processor_seconds or 0)} processor-seconds"
    return f"{first} {cost}{', which keeps all limits' if limited else ''}."


def _two(value: float) -> str:
    """Two significant digits, such as 150."""
    return f"{float(f'{value:.2g}'):,g}"


def _answers(latency: Latency | None) -> str:
    if latency is None:
        return "has no latency"
    if latency.one_p99_seconds is None:
        return f"answers for a row in {seconds(latency.one_p50_seconds)} (p50; too slow for a p99)"
    return f"answers for a row in {seconds(latency.one_p99_seconds)} (p99)"


def _given_up(chosen: Standing, best: Standing, scale: Scale) -> str:
    if chosen is best:
        return "nothing, it is the best."
    behind, error = scale.gap(chosen.folds, best.folds)
    lost = f"{abs(behind):.2g} of {scale.metric.title} against {best.candidate} ({_noise(error)})"
    ours, theirs = chosen.latency, best.latency
    if ours is None or theirs is None or not chosen.processor_seconds:
        return f"{lost}."
    slower = theirs.one_p50_seconds / ours.one_p50_seconds
    if ours.one_p99_seconds is not None and theirs.one_p99_seconds is not None:
        slower = theirs.one_p99_seconds / ours.one_p99_seconds
    dearer = (best.processor_seconds or 0) / chosen.processor_seconds
    return f"{lost}, which takes {_two(slower)} times as long for a row and {_two(dearer)} times the processor-seconds."


def _quicker(chosen: Standing, best: Standing, among: Sequence[Standing], scale: Scale) -> str:
    """Name who is further up the ladder, as good, and ten times as quick, which somebody may want more than a rung."""
    if chosen.latency is None or len(chosen.folds) < 2:  # noqa: PLR2004 -- one fold tells no noise
        return ""
    own = chosen.latency.one_p50_seconds
    times = {
        each.candidate: each.latency.one_p50_seconds for each in among if each.latency and _within(each, best, scale)
    }
    quickest = min(times, key=lambda name: times[name], default=chosen.candidate)
    if times.get(quickest, own) > own / QUICKER:
        return ""
    ratio = _two(own / times[quickest])
    return f"{quickest} is within one standard error as well, and answers for a row {ratio} times as fast."


def _ahead(chosen: Standing, earned: Sequence[Standing], scale: Scale) -> str:
    """Name the best of those that are ahead and cost no more: nothing but the ladder's order speaks against it."""
    own = _costs(chosen)
    if own is None or len(chosen.folds) < 2:  # noqa: PLR2004 -- one fold tells no noise
        return ""
    free = [
        each
        for each in earned
        if scale.gap(chosen.folds, each.folds)[0] > 0
        and (costs := _costs(each)) is not None
        and all(other <= NO_DEARER * mine for other, mine in zip(costs, own, strict=True))
    ]
    if not free:
        return ""
    first = scale.best(free)
    behind, error = scale.gap(chosen.folds, first.folds)
    return (
        f"{first.candidate} is ahead by {behind:.2g} ({_noise(error)}) and costs about the same (a row, a fit, disk): "
        "only its higher place on the ladder speaks against it."
    )


def _costs(standing: Standing) -> tuple[float, float, float] | None:
    """Seconds of a row, bytes on disk, processor-seconds of a fit on all rows; None: one was not measured."""
    latency, size, paid = standing.latency, standing.size_bytes, standing.whole_processor_seconds
    paid = standing.processor_seconds if paid is None else paid
    if latency is None or size is None or paid is None:
        return None
    return latency.one_p99_seconds or latency.one_p50_seconds, size, paid


def seconds(value: float) -> str:
    """Seconds in a unit that a person reads."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value * 1e6:.3g} µs"
