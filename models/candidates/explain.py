"""Why a candidate says what it says: coefficients, permutation importance and partial dependence, on the same rows."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np

from conf.contests import CandidateName
from conf.manifest import Manifest
from conf.selecting import Dependence, Explanation, Weight
from models.candidates.candidate import Fitted
from models.candidates.explained import Feature, features, level_names
from models.candidates.rows import Rows
from models.evaluation.metrics import Floats, Ints, judge, main_metric

MOST_ROWS, DEPENDENCE_ROWS = 5_000, 1_000
SECONDS, BATCH_ROWS, FEWEST_ROWS = 20.0, 500, 200  # for importances, at most; what tells how long a row takes
REPETITIONS, FEW_REPETITIONS, MANY_FEATURES = 4, 2, 80
DRAWN = 6  # columns whose dependence is looked at


@runtime_checkable
class Linear(Protocol):
    """A fitted candidate with coefficients."""

    def coefficients(self) -> Sequence[tuple[str, float]]:
        """Name and coefficient of each standardised column; of each level of codes, as `COLUMN=CODE`."""
        ...


def explain(
    fitted: Fitted,
    candidate: CandidateName,
    rows: Rows,
    *,
    seed: int,
    manifest: Manifest | None = None,
    levels: Mapping[str, Sequence[str]] | None = None,
    seconds: float = SECONDS,
) -> Explanation:
    """Explain one fitted candidate; the same seed takes the same rows and permutations for every candidate.

    Importance is the loss of the main metric when a column is permuted (Breiman 2001, section 10; error: standard error
    over repetitions). Columns that one raw column was encoded into are permuted together. Dependence is the mean score
    with a column set to each of some values (Friedman 2001, section 8.2), for the columns of most importance; of
    several classes, it is the probability of the class that the column moves most.

    Args:
        fitted: has learned.
        candidate: its name.
        rows: held-out rows with their labels, the same for all; at most 5,000 of them are taken, and of those fewer by
            a candidate that predicts so slowly that its importances would take longer than `seconds`.
        seed: of what is drawn.
        manifest: gives columns their raw units, levels their names, and says which columns belong together.
        levels: column -> names of its codes, the reserved ones first; None: the manifest's.
        seconds: that importances may take.

    """
    generator = np.random.default_rng(seed)
    drawn = generator.permutation(len(rows))[:MOST_ROWS]
    named = level_names(rows.columns, manifest, levels or {})
    known = features(rows.columns, manifest, named)
    repetitions = FEW_REPETITIONS if len(known) > MANY_FEATURES else REPETITIONS
    sample = rows.take(np.sort(drawn[: _affordable(fitted, rows.take(drawn), len(known) * repetitions, seconds)]))
    orders = [generator.permutation(len(sample)) for _ in range(repetitions)]
    importance = _importance(fitted, sample, known, orders)
    ranked = {weight.name: place for place, weight in enumerate(importance)}
    drawable = [feature for feature in known if feature.grid is not None]
    first = sorted(drawable, key=lambda feature: ranked.get(feature.name, 0))[:DRAWN]
    few = sample.take(np.sort(generator.permutation(len(sample))[:DEPENDENCE_ROWS]))
    dependence = [found for feature in first if (found := _dependence(fitted, feature, sample, few)) is not None]
    return Explanation(
        candidate=candidate,
        rows=len(sample),
        coefficients=_coefficients(fitted, named),
        importance=importance,
        dependence=dependence,
    )


def _affordable(fitted: Fitted, rows: Rows, predictions: int, seconds: float) -> int:
    """How many rows can be predicted so often within so many seconds, by the time that one batch of them takes."""
    batch = rows.take(np.arange(min(BATCH_ROWS, len(rows))))
    fitted.predict(batch.take(np.arange(1)))  # what it does once
    started = time.perf_counter()
    fitted.predict(batch)
    a_row = (time.perf_counter() - started) / len(batch)
    return min(len(rows), max(FEWEST_ROWS, int(seconds / (a_row * max(1, predictions)))))


def _coefficients(fitted: Fitted, named: Mapping[str, Sequence[str]]) -> list[Weight]:
    """Weights in falling order of size; `COLUMN=CODE` has become `COLUMN=LEVEL` where levels have names."""
    if not isinstance(fitted, Linear):
        return []
    called = {f"{name}={code}": f"{name}={level}" for name, names in named.items() for code, level in enumerate(names)}
    found = sorted(fitted.coefficients(), key=lambda pair: -abs(pair[1]))
    return [Weight(name=called.get(name, name), value=float(value), error=0.0) for name, value in found]


def _importance(fitted: Fitted, rows: Rows, known: Sequence[Feature], orders: Sequence[Ints]) -> list[Weight]:
    """Weights in falling order; [] where the rows do not define the metric."""
    metric = main_metric(rows.columns.task)
    measure = _measure(rows, metric.name)
    whole = measure(fitted.predict(rows))
    if whole is None:
        return []
    found = []
    for feature in known:
        drawn = [measure(fitted.predict(_permuted(rows, feature, order))) for order in orders]
        losses = np.array(
            [whole - value if metric.higher_is_better else value - whole for value in drawn if value is not None]
        )
        error = float(losses.std(ddof=1) / np.sqrt(len(losses))) if len(losses) > 1 else 0.0
        found.append(Weight(name=feature.name, value=float(losses.mean()), error=error))
    return sorted(found, key=lambda weight: -weight.value)


def _measure(rows: Rows, metric: str) -> Callable[[Floats], float | None]:
    whole = np.ones(len(rows))

    def measure(scores: Floats) -> float | None:
        return judge(rows.columns.task, scores, rows.label)(whole).get(metric)

    return measure


def _permuted(rows: Rows, feature: Feature, order: Ints) -> Rows:
    numbers, codes = rows.numbers, rows.codes
    if feature.numbers:
        numbers, own = numbers.copy(), np.array(feature.numbers)
        numbers[:, own] = numbers[np.ix_(order, own)]
    if feature.codes:
        codes, own = codes.copy(), np.array(feature.codes)
        codes[:, own] = codes[np.ix_(order, own)]
    return replace(rows, numbers=numbers, codes=codes)


def _dependence(fitted: Fitted, feature: Feature, sample: Rows, few: Rows) -> Dependence | None:
    """Mean scores over the feature's grid; None if the sample has but one value of it."""
    grid = None if feature.grid is None else feature.grid(sample)
    if grid is None or len(grid.shown) < 2:  # noqa: PLR2004 -- a line has two ends
        return None
    points, size = len(grid.shown), len(few)
    repeated = few.take(np.tile(np.arange(size), points))
    scores = fitted.predict(grid.set(repeated, np.repeat(np.arange(points), size)))
    means = scores.reshape(points, size, -1).mean(axis=1)
    most = int(np.ptp(means, axis=0).argmax())
    name = feature.name if means.shape[1] == 1 else f"{feature.name} (for {few.columns.classes[most]})"
    return Dependence(name=name, grid=grid.shown, scores=[float(mean) for mean in means[:, most]])
