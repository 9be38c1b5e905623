"""Groups of a categorical column's values by what their rows are like."""

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from conf.columns import RESERVED_CODES
from conf.grouping import choose, hierarchical, silhouette
from conf.segmenting import (
    Floats,
    Ints,
    Profile,
    Sums,
    check_column,
    components,
    grouped,
    label_features,
    most_groups,
    profile,
)
from conf.selecting import Segments
from models.candidates.rows import Rows

STARTS, FITS = 10, 3  # of k-means, and of a mixture, the best of which counts
SHAPES = ("spherical", "diag", "tied", "full")  # of a mixture's covariance
LEAST_VARIANCE = 1e-2  # of a component, of the points' own: one around a single value would be infinitely likely


def segments(rows: Rows, column: str, names: list[str], seed: int, *, label: str = "label") -> list[Segments]:
    """Group the values of a column three ways.

    Args:
        rows: of train.
        column: one of the codes.
        names: of its values: the one with code 3 first (`conf.columns`). What is rare or missing is no value.
        seed: of all that is drawn.
        label: its name, for people.

    Raises:
        FranklinError: there is no such column, or it is not categorical.
        NoSegmentsError: it has too few values, or they do not differ.

    """
    check_column(column, rows.columns.codes, rows.columns.numbers)
    seen = profile(sums(rows, column, names, label))
    with threadpool_limits(1):
        return [_kmeans(seen, seed), hierarchical(seen), _mixture(seen, seed)]


def sums(rows: Rows, column: str, names: list[str], label: str) -> Sums:
    """Add up what the rows of each value are like; the most frequent value comes first."""
    at = rows.columns
    code = rows.codes[:, at.codes.index(column)].astype(np.int64) - RESERVED_CODES
    named = code >= 0
    code = code[named]
    count = np.bincount(code, minlength=len(names)).astype(np.float64)
    falling: Ints = np.argsort(-count, kind="stable").astype(np.int64)
    order = falling[count[falling] > 0]
    of_label = label_features(at.task, label, at.classes)
    add = partial(_added, code, named, order, len(names))
    total: list[Floats] = []
    squares: list[Floats] = []
    for values in _features(rows):
        total.append(add(values))
        squares.append(add(values**2))
    return Sums(
        column=column,
        names=[names[int(i)] for i in order],
        features=[*at.numbers, *of_label],
        count=count[order],
        total=np.stack(total, axis=1),
        squares=np.stack(squares, axis=1),
        values=len(order),
    )


def _features(rows: Rows) -> Iterable[Floats]:
    """Give one column of numbers after the other, and the label's."""
    for place in range(rows.numbers.shape[1]):
        yield rows.numbers[:, place].astype(np.float64)
    if rows.columns.task == "regression":
        yield rows.label
    else:
        for each in range(1 if rows.columns.task == "binary" else 0, len(rows.columns.classes)):
            yield (rows.label == each).astype(np.float64)


def _added(code: Ints, named: Any, order: Ints, size: int, values: Floats) -> Floats:
    return np.asarray(np.bincount(code, values[named], size)[order], np.float64)


def _kmeans(seen: Profile, seed: int) -> Segments:
    """k-means, of the best of several starts (Arthur and Vassilvitskii 2007), k by silhouette."""
    points = seen.points

    def fit(k: int) -> Ints:
        return np.asarray(KMeans(k, n_init=STARTS, random_state=seed).fit_predict(points), np.int64)

    group, quality = choose(points, most_groups(seen), fit)
    return grouped(seen, "kmeans", group, quality=quality)


def _mixture(seen: Profile, seed: int) -> Segments:
    """Take the mixture of Gaussians of the least BIC (Schwarz 1978; Fraley and Raftery 2002, section 2.4)."""
    points = components(seen.points)
    fits = [
        GaussianMixture(
            k, covariance_type=shape, reg_covar=LEAST_VARIANCE, n_init=FITS, random_state=seed, max_iter=500
        ).fit(points)
        for k in range(1, most_groups(seen) + 1)
        for shape in SHAPES
    ]
    best = min(fits, key=lambda one: float(one.bic(points)))
    group = best.predict(points).astype(np.int64)
    alone = "one component fits best, so there are no groups" if len(np.unique(group)) == 1 else None
    return grouped(seen, "mixture", group, quality=silhouette(seen.points, group), note=alone)
