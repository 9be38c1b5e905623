"""The candidates that Spark has, each as a pipeline of MLlib from rows to a prediction.

Settings are called as those of this machine's candidates (`models.candidates`). Those that MLlib does not have, such as
a penalty of leaves, are passed over.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyspark.ml import Pipeline
from pyspark.ml import classification as of_classes
from pyspark.ml import regression as of_values
from pyspark.ml.feature import OneHotEncoder, SQLTransformer, VectorAssembler
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention
from xgboost.spark import SparkXGBClassifier, SparkXGBRegressor

from conf.contests import CandidateName
from conf.manifest import Manifest
from conf.selecting import Values
from spark_jobs.fitting.rows import LABEL, codes_of, numbers_of

LEVEL_ROWS, MOST_LEVELS = 10, 20_000
FEATURES = "features"
DEEPEST, STOPS = 30, "stops"  # the latter is a column: whether boosting stops by the row, which it does not learn from
ROUNDS = 60  # of MLlib, at most: each is many jobs
TOLERANCE = 1e-5  # of lines: MLlib's own, 1e-6, takes a third more steps of lasso for the same five digits of log loss
FEWEST_COLUMNS = 8  # that a boosted tree may look at, if there are so many


@dataclass(frozen=True)
class Job:
    """What is to be learned: the feature set, the number of rows, the settings, and the seed of what is drawn.

    `rounds` are those of boosting; None: XGBoost's until the loss of rows with `STOPS` falls no more, MLlib's all.
    """

    manifest: Manifest
    rows: int
    values: Values
    seed: int
    rounds: int | None = None

    @property
    def classed(self) -> bool:
        """Whether the label is one of several classes."""
        return self.manifest.task != "regression"

    def value(self, name: str, own: float) -> float:
        """Give a setting, or the candidate's own."""
        said = self.values.get(name)
        return own if said is None else float(str(said))

    def columns(self, own: float) -> float:
        """Give the share of columns that a boosted tree may look at: its own one is of `FEWEST_COLUMNS` at least."""
        there = max(1, len(self.manifest.numeric) + len(self.manifest.categorical))
        return self.value("columns", min(1.0, max(own, FEWEST_COLUMNS / there)))


def linear(job: Job) -> Any:
    """Least squares, or the log loss, without a penalty of one's choice; classes have scikit-learn's weak one."""
    return _penalised(job, 1 / job.rows if job.classed else 0.0, 0.0)


def ridge(job: Job) -> Any:
    """With `strength / 2` times the squared weights beside the sum of losses."""
    return _penalised(job, job.value("strength", 10.0) / job.rows, 0.0)


def lasso(job: Job) -> Any:
    """With `strength / sqrt(rows)` times the absolute weights beside the mean of losses."""
    return _penalised(job, job.value("strength", 0.1) / np.sqrt(job.rows), 1.0)


def tree(job: Job) -> Any:
    """One tree."""
    kind = of_classes.DecisionTreeClassifier if job.classed else of_values.DecisionTreeRegressor
    return kind(featuresCol=FEATURES, labelCol=LABEL, seed=job.seed, **_grown(job, 12.0))


def forest(job: Job) -> Any:
    """Trees on samples of rows and columns."""
    kind = of_classes.RandomForestClassifier if job.classed else of_values.RandomForestRegressor
    return kind(
        featuresCol=FEATURES,
        labelCol=LABEL,
        seed=job.seed,
        numTrees=round(job.value("trees", 100.0)),
        featureSubsetStrategy=str(job.value("columns", 0.3)),
        subsamplingRate=job.value("sample", 1.0),
        **_grown(job, 15.0),
    )


def boosting(job: Job) -> Any:
    """Trees that each fit the loss's gradient; of classes, there are two.

    The first tree is taken whole, whatever the rate, and grows level by level: a deep one learns noise by heart that no
    later one takes back. So its own trees have few leaves, and few rounds of a high rate are all that it needs.
    """
    kind = of_classes.GBTClassifier if job.classed else of_values.GBTRegressor
    depth = np.ceil(np.log2(job.value("leaves", 8.0)))
    return kind(
        featuresCol=FEATURES,
        labelCol=LABEL,
        seed=job.seed,
        maxIter=job.rounds or ROUNDS,
        stepSize=job.value("learning_rate", 0.2),
        featureSubsetStrategy=str(job.columns(0.5)),
        **_grown(job, float(depth), 20.0),
    )


def xgboost(job: Job) -> Any:
    """XGBoost, one worker in each task of Spark."""
    kind, classed = (SparkXGBClassifier if job.classed else SparkXGBRegressor), job.classed
    until: dict[str, Any] = {"n_estimators": job.rounds or 2000}
    until |= {} if job.rounds else {"validation_indicator_col": STOPS, "early_stopping_rounds": 40}
    return kind(
        features_col=FEATURES,
        label_col=LABEL,
        num_workers=1,
        tree_method="hist",
        grow_policy="lossguide",
        max_depth=0,
        max_leaves=round(job.value("leaves", 63.0 if classed else 31.0)),
        learning_rate=job.value("learning_rate", 0.05 if classed else 0.06),
        min_child_weight=job.value("leaf_weight", 5.0 if classed else 10.0),
        colsample_bytree=job.columns(0.3 if classed else 0.5),
        subsample=job.value("rows", 0.8),
        reg_lambda=job.value("l2", 1.0),
        random_state=job.seed % 2**31,
        verbosity=0,
        **until,
    )


LINEAR: tuple[CandidateName, ...] = ("linear_regression", "logistic_regression", "ridge", "lasso")
BOOSTED: tuple[CandidateName, ...] = ("gradient_boosting", "xgboost")
LEARNERS: Mapping[CandidateName, Callable[[Job], Any]] = {
    "linear_regression": linear,
    "logistic_regression": linear,
    "ridge": ridge,
    "lasso": lasso,
    "decision_tree": tree,
    "random_forest": forest,
    "gradient_boosting": boosting,
    "xgboost": xgboost,
}


def tables_of(candidate: CandidateName, learn: DataFrame, job: Job) -> list[NDArray[np.int64]]:
    """Give the level of each code, `(cardinality,)` for each column of codes, where levels are what it takes.

    Codes with few rows, and those that predictions alone have, share level 0.
    """
    if candidate not in LINEAR or not job.manifest.categorical:
        return []
    each = [
        F.struct(F.lit(place).alias("place"), F.col(code).alias("code"))
        for place, code in enumerate(codes_of(job.manifest))
    ]
    counted = learn.select(F.inline(F.array(*each))).groupBy("place", "code").count()
    ranked = F.row_number().over(Window.partitionBy("place").orderBy(F.desc("count"), "code"))
    least = round(job.value("level_rows", LEVEL_ROWS))
    kept = counted.where(F.col("count") >= least).withColumn("rank", ranked).where(F.col("rank") <= MOST_LEVELS)
    found, tables = kept.select("place", "code").toPandas(), []
    for place, described in enumerate(job.manifest.categorical):
        table = np.zeros(described.cardinality, np.int64)
        codes = np.sort(found["code"][found["place"] == place].to_numpy())
        table[codes] = np.arange(1, len(codes) + 1)
        tables.append(table)
    return tables


def pipeline(candidate: CandidateName, job: Job, tables: Sequence[NDArray[np.int64]] = ()) -> Pipeline:
    """Make of rows what the candidate takes, and the candidate: linear models see levels, the others codes.

    Args:
        candidate: one of `LEARNERS`.
        job: what it is to learn.
        tables: of `tables_of`.

    """
    numbers, codes = numbers_of(job.manifest), codes_of(job.manifest)
    if candidate in LINEAR:
        stages = _one_hot(job, tables)
    else:
        stages = [VectorAssembler(inputCols=[*numbers, *codes], outputCol=FEATURES)]
    return Pipeline(stages=[*stages, LEARNERS[candidate](job)])


def rounds_of(candidate: CandidateName, job: Job, parted: DataFrame) -> int:
    """Boost, and give the rounds until the loss of the rows with `STOPS` was least.

    MLlib would stop at the first round that is no better, and chance alone makes one: it boosts to the end here, and
    the best of all rounds is taken.
    """
    rows = parted if candidate == "xgboost" else parted.where(~F.col(STOPS))
    stages: list[Any] = pipeline(candidate, job).fit(rows).stages
    assembler, boosted = stages
    if candidate == "xgboost":
        return int(boosted.get_booster().best_iteration) + 1
    held = assembler.transform(parted.where(STOPS))
    losses = boosted.evaluateEachIteration(held) if job.classed else boosted.evaluateEachIteration(held, "squared")
    return int(np.argmin(losses)) + 1


def _penalised(job: Job, strength: float, absolute: float) -> Any:
    # MLlib divides a penalty of values by the label's deviation; as here, it means that of standardised labels.
    strength = float(strength) * job.manifest.label.scale
    told: dict[str, Any] = {
        "featuresCol": FEATURES,
        "labelCol": LABEL,
        "regParam": strength,
        "elasticNetParam": absolute,
    }
    if job.classed:
        return of_classes.LogisticRegression(**told, standardization=False, maxIter=100, tol=TOLERANCE)
    return of_values.LinearRegression(**told, standardization=False, maxIter=100, tol=TOLERANCE)


def _grown(job: Job, depth: float, leaf_rows: float = 0.0) -> dict[str, Any]:
    rows = job.value("leaf_rows", leaf_rows) or float(np.clip(job.rows / 5000, 5, 100))
    return {
        "maxDepth": min(DEEPEST, round(job.value("depth", depth))),
        "minInstancesPerNode": max(1, round(rows)),
        "maxBins": 128,
    }


def _one_hot(job: Job, tables: Sequence[NDArray[np.int64]]) -> list[Any]:
    """Numbers beside a column for each level."""
    numbers, codes = numbers_of(job.manifest), codes_of(job.manifest)
    if not codes:
        return [VectorAssembler(inputCols=numbers, outputCol=FEATURES)]
    levels = [f"l{i}" for i in range(len(codes))]
    said = [
        f"cast(element_at(array({','.join(map(str, table))}), {code} + 1) as double) as {level}"
        for code, level, table in zip(codes, levels, tables, strict=True)
    ]
    vectors = [f"{level}_v" for level in levels]
    return [
        SQLTransformer(statement=f"select *, {', '.join(said)} from __THIS__"),  # noqa: S608, numbers and names of ours
        OneHotEncoder(inputCols=levels, outputCols=vectors, dropLast=False),
        VectorAssembler(inputCols=[*numbers, *vectors], outputCol=FEATURES),
    ]
