"""Groups of a categorical column's values by what their rows are like, by MLlib.

Spark adds up the rows of each value; what MLlib groups is a point for each of some thousand values at most. MLlib keeps
no tree of groups, so the few values of a dendrogram are merged as the other engine does it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.ml.clustering import GaussianMixture, KMeans
from pyspark.ml.functions import array_to_vector
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from conf.columns import RESERVED_CODES
from conf.grouping import choose, hierarchical, silhouette
from conf.manifest import Manifest
from conf.segmenting import (
    MOST,
    Floats,
    Ints,
    Profile,
    Sums,
    components,
    grouped,
    label_features,
    most_groups,
    profile,
)
from conf.selecting import Segments
from spark_jobs.dataset import column as exactly
from spark_jobs.session import kept

STARTS = 2  # of k-means, the best of which counts
CODE, COUNT = "__code", "__count"
COLLAPSED = "no non-zero singular values"  # MLlib's words for the covariance of a single value


def segments(
    spark: SparkSession, rows: DataFrame, manifest: Manifest, column: str, names: list[str], *, seed: int
) -> list[Segments]:
    """Group the values of a column three ways.

    Args:
        spark: where.
        rows: encoded, of train.
        manifest: of them.
        column: a categorical one.
        names: of its values: the one with code 3 first.
        seed: of all that is drawn.

    Raises:
        NoSegmentsError: it has too few values, or they do not differ.

    """
    seen = profile(sums(rows, manifest, column, names))
    with kept(_points(spark, seen.points)) as every:
        return [_kmeans(every, seen, seed), hierarchical(seen), _mixture(spark, seen, seed)]


def sums(rows: DataFrame, manifest: Manifest, column: str, names: list[str]) -> Sums:
    """Add up what the rows of each value are like; the most frequent value comes first."""
    label = exactly(manifest.label.name)
    classes = manifest.label.classes
    first = 1 if manifest.task == "binary" else 0
    of_label = (
        [label.cast("double")]
        if manifest.task == "regression"
        else [(label == code).cast("double") for code in range(first, len(classes))]
    )
    features = [*(exactly(name).cast("double") for name in manifest.numeric), *of_label]
    added = [F.sum(each) for each in features] + [F.sum(each * each) for each in features]
    code = exactly(column)
    found = (
        rows.where(code >= RESERVED_CODES)
        .groupBy(code.alias(CODE))
        .agg(F.count(F.lit(1)).alias(COUNT), F.array(*added).alias("added"))
        .orderBy(F.desc(COUNT), CODE)
        .limit(MOST)
        .collect()
    )
    there = rows.where(code >= RESERVED_CODES).agg(F.count_distinct(code)).head() if len(found) == MOST else None
    values = np.asarray([row["added"] for row in found], np.float64).reshape(len(found), -1)
    return Sums(
        column=column,
        names=[names[row[CODE] - RESERVED_CODES] for row in found],
        features=[*manifest.numeric, *label_features(manifest.task, manifest.label.name, classes)],
        count=np.asarray([row[COUNT] for row in found], np.float64),
        total=values[:, : len(features)],
        squares=values[:, len(features) :],
        values=int(there[0]) if there else len(found),
    )


def _points(spark: SparkSession, points: Floats) -> DataFrame:
    """Give `(values, features)` as a small frame of one partition, in order."""
    listed = [(i, [float(x) for x in each]) for i, each in enumerate(points)]
    frame = spark.createDataFrame(listed, "place int, listed array<double>").coalesce(1)
    return frame.select("place", array_to_vector(F.col("listed")).alias("features"))


def _placed(predicted: DataFrame) -> Ints:
    return np.asarray([row[0] for row in predicted.orderBy("place").select("prediction").collect()], np.int64)


def _kmeans(every: DataFrame, seen: Profile, seed: int) -> Segments:
    """k-means (k-means||, Bahmani et al. 2012), of the best of several starts, k by silhouette."""

    def fit(k: int) -> Ints:
        models = [KMeans(k=k, seed=seed + start).fit(every) for start in range(STARTS)]
        return _placed(min(models, key=lambda one: float(one.summary.trainingCost)).transform(every))

    group, quality = choose(seen.points, most_groups(seen), fit)
    return grouped(seen, "kmeans", group, quality=quality)


def _mixture(spark: SparkSession, seen: Profile, seed: int) -> Segments:
    """Take the mixture of Gaussians, of full covariances, of the least BIC (Schwarz 1978)."""
    points = components(seen.points)
    values, width = points.shape

    def bic(k: int, log_likelihood: float) -> float:
        numbers = k - 1 + k * width + k * width * (width + 1) / 2
        return float(numbers * np.log(values)) - 2 * log_likelihood

    judged = [(bic(1, _log_likelihood(points)), np.zeros(values, np.int64))]  # MLlib has two components at least
    with kept(_points(spark, points)) as every:
        for k in range(2, most_groups(seen) + 1):
            with _unless_collapsed():
                model = GaussianMixture(k=k, seed=seed, maxIter=100).fit(every)
                judged.append((bic(k, float(model.summary.logLikelihood)), _placed(model.transform(every))))
    _, group = min(judged, key=lambda one: one[0])
    alone = "one component fits best, so there are no groups" if len(np.unique(group)) == 1 else None
    return grouped(seen, "mixture", group, quality=silhouette(seen.points, group), note=alone)


def _log_likelihood(points: Floats) -> float:
    """Log-likelihood of points under the Gaussian that suits them best."""
    values, width = points.shape
    sign, volume = np.linalg.slogdet(np.atleast_2d(np.cov(points.T, bias=True)))
    return float(-values / 2 * (width * np.log(2 * np.pi) + volume + width)) if sign > 0 else float("inf")


@contextmanager
def _unless_collapsed() -> Iterator[None]:
    """Leave so many components out, where one has shrunk to a single value and so has no density."""
    try:
        yield
    except (Py4JError, PySparkException) as error:
        if COLLAPSED not in str(error):
            raise
