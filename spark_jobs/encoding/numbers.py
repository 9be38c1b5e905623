"""Numbers and times: scaled, as quantiles, on circles."""

from collections.abc import Iterator
from math import inf, pi, sqrt

import numpy as np
from numpy.typing import NDArray
from pyspark.ml.feature import Bucketizer
from pyspark.sql import Column as Values
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from conf.columns import SECONDS, Cyclic, Numeric, Quantile
from conf.kinds import CyclicKind, NumericKind, TimeKind
from conf.profile import NumberProfile, Profile
from spark_jobs.dataset import KEY, column

SAMPLE_ROWS = 200_000  # that quantiles are taken of, at most about
POINTS = 201
PER_MILLION = 1_000_000
PLACE = "__place_of_"

NumberKind = NumericKind | CyclicKind | TimeKind


def fit_numbers(
    train: DataFrame, kinds: dict[str, NumberKind], profile: Profile
) -> Iterator[Numeric | Quantile | Cyclic]:
    """Fit columns of numbers and times: by their profile, and over a sample of train if quantiles are asked for.

    Args:
        train: The rows of train, raw.
        kinds: Kind of each column.
        profile: What all columns look like.

    """
    looks = {name: one.splits["train"] for name, one in profile.columns.items() if isinstance(one, NumberProfile)}
    by_share = [name for name, kind in kinds.items() if isinstance(kind, NumericKind) and kind.scaling == "quantile"]
    quantiles = _quantiles(train, by_share, profile.rows["train"])
    for name, kind in kinds.items():
        missing = looks[name].missing > 0
        if isinstance(kind, TimeKind):
            periods = {cycle: SECONDS[cycle] for cycle in kind.cycles}
            yield Cyclic(name=name, indicator=missing, of="time", periods=periods)
        elif isinstance(kind, CyclicKind):
            yield Cyclic(name=name, indicator=missing, of="number", periods={"cycle": kind.period})
        elif name in quantiles:
            points, shares = quantiles[name]
            yield Quantile(name=name, indicator=missing, points=points, shares=shares)
        else:
            mean, scale = looks[name].mean or 0.0, looks[name].deviation or 1.0
            yield Numeric(name=name, indicator=missing, mean=mean, scale=scale)


def encode_numbers(fitted: Numeric | Quantile | Cyclic) -> list[Values]:
    """Return the encoded columns of a fitted one."""
    raw = column(fitted.name)
    if isinstance(fitted, Numeric):
        encoded = [(raw - fitted.mean) / fitted.scale]
    elif isinstance(fitted, Quantile):
        encoded = [_share(fitted)]
    else:
        number = seconds(raw) if fitted.of == "time" else raw
        turns = [F.pmod(number, F.lit(period)) * (2 * pi / period) for period in fitted.periods.values()]
        encoded = [part(turn) for turn in turns for part in (F.sin, F.cos)]
    found = [
        F.coalesce(values, F.lit(0.0)).cast("float").alias(name)
        for values, name in zip(encoded, fitted.values, strict=True)
    ]
    return [*found, raw.isNull().cast("float").alias(fitted.encoded[-1])] if fitted.indicator else found


def _quantiles(rows: DataFrame, names: list[str], count: int) -> dict[str, tuple[list[float], list[float]]]:
    """Return points and shares of each column, exact for a sample that the rows' keys choose: the same in every run."""
    if not names:
        return {}
    wanted = PER_MILLION * min(1.0, SAMPLE_ROWS / count)
    sample = rows.where(F.pmod(F.xxhash64(KEY, F.lit("sample")), F.lit(PER_MILLION)) < wanted)
    shares = np.linspace(0, 1, POINTS)
    found = sample.agg(*(F.percentile(column(name), shares.tolist()) for name in names)).head()
    assert found is not None  # noqa: S101, an aggregation has a row
    return {name: _rising(values, shares) for name, values in zip(names, found, strict=True)}


def _rising(values: list[float] | None, shares: NDArray[np.float64]) -> tuple[list[float], list[float]]:
    """Join points that are equal, with the middle of their shares."""
    if values is None or values[0] is None:
        return [0.0], [0.5]
    points, place = np.unique(values, return_inverse=True)
    low, high = np.full(len(points), 1.0), np.zeros(len(points))
    np.minimum.at(low, place, shares)
    np.maximum.at(high, place, shares)
    return points.tolist(), ((low + high) / 2).tolist()


def with_places(rows: DataFrame, columns: list[Quantile]) -> DataFrame:
    """Add where each number lies: 0 below the first of its column's points, i + 1 from the i-th on."""
    if not columns:
        return rows
    # The bucketizer's own column names are plain: it knows no quoting.
    plain = [f"__number_{i}" for i in range(len(columns))]
    places = [f"__bucket_{i}" for i in range(len(columns))]
    edges = [[-inf, *one.points, inf] for one in columns]
    bucketizer = Bucketizer(splitsArray=edges, inputCols=plain, outputCols=places, handleInvalid="keep")
    numbers = (column(one.name).alias(name) for one, name in zip(columns, plain, strict=True))
    found = bucketizer.transform(rows.select("*", *numbers))
    named = {place: PLACE + one.name for one, place in zip(columns, places, strict=True)}
    return found.drop(*plain).withColumnsRenamed(named)


def _share(fitted: Quantile) -> Values:
    """Go on from the point before along a straight line, as NumPy's `interp` does."""
    slopes = np.divide(np.diff(fitted.shares), np.diff(fitted.points)).tolist()
    place = column(PLACE + fitted.name).cast("int") + 1  # arrays count from 1

    def at(values: list[float]) -> Values:
        return F.element_at(F.array(*map(F.lit, values)), place)

    start, low, slope = ([fitted.points[0], *fitted.points], [fitted.shares[0], *fitted.shares], [0.0, *slopes, 0.0])
    return (at(slope) * (column(fitted.name) - at(start)) + at(low) - 0.5) * sqrt(12)


def seconds(times: Values) -> Values:
    """Return the seconds since 1970 (UTC), as double."""
    return F.unix_timestamp(times.cast("timestamp")).cast("double")


def rounded(value: float) -> float:
    """Round to ten digits: Spark adds up in no fixed order, and they leave no trace of it."""
    return float(f"{value:.10g}")
