"""Words to the mean label of their rows; those of train without the row's own fold. See `conf.columns.Target`."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import pandas as pd
from pyspark.sql import Column as Values
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from conf.columns import Target
from conf.kinds import CategoricalKind
from conf.manifest import Label
from spark_jobs.dataset import SIDE, column
from spark_jobs.encoding.numbers import rounded
from spark_jobs.splitting import FATE

FOLDS, WHOLE = 5, -1
ONE = 2**20  # deviations are added up as whole numbers of this, so that the order of rows leaves no trace


@dataclass(frozen=True)
class Means:
    """A fitted column, and its encoded numbers by `value` and `fold` (WHOLE: for rows that are not of train)."""

    column: Target
    table: pd.DataFrame


def fit_targets(train: DataFrame, kinds: dict[str, CategoricalKind], label: Label, most: int) -> dict[str, Means]:
    """Fit each column in one aggregation of train; the `most` frequent values of it are kept."""
    return {name: _fit(train, name, kind.smoothing, label, most) for name, kind in kinds.items()}


def with_means(spark: SparkSession, rows: DataFrame, means: dict[str, Means]) -> DataFrame:
    """Add the encoded columns, under their own names with two underscores before them (see `encode_targets`)."""
    fold = F.when(column(FATE) == "train", _fold()).otherwise(WHOLE)
    for name, one in means.items():
        names = [f"__{each}" for each in one.column.encoded]
        table = spark.createDataFrame(one.table.set_axis(["__value", "__of", *names], axis=1))
        same = column(name).eqNullSafe(F.col("__value")) & (fold == F.col("__of"))
        rows = rows.join(F.broadcast(table), same, "left").drop("__value", "__of")
    return rows


def encode_targets(fitted: Target) -> list[Values]:
    """Return the encoded columns of rows that `with_means` has seen."""
    return [F.coalesce(column(f"__{name}"), F.lit(0.0)).cast("float").alias(name) for name in fitted.encoded]


def _fold() -> Values:
    # By what the split is by, so that a group is in one fold.
    return F.pmod(F.xxhash64(SIDE, F.lit("fold")), F.lit(FOLDS)).cast("int")


def _fit(train: DataFrame, name: str, smoothing: float, label: Label, most: int) -> Means:
    deviations = _deviations(label)
    sums = [F.sum(F.rint(value * ONE).cast("long")).alias(f"sum_{i}") for i, value in enumerate(deviations)]
    frequent = Window.orderBy(F.desc("all"), "kept")
    counts = train.groupBy(column(name).alias("value"), _fold().alias("fold")).agg(F.count("*").alias("rows"), *sums)
    kept = (
        counts.groupBy(F.col("value").alias("kept"))
        .agg(F.sum("rows").alias("all"))
        .withColumn("place", F.row_number().over(frequent))
        .where((F.col("place") <= most) | F.col("kept").isNull())
    )
    found = counts.join(kept, F.col("value").eqNullSafe(F.col("kept"))).drop("kept", "all")
    frame = found.toPandas().sort_values(["place", "fold"])
    return _means(name, frame, smoothing, len(sums))


def _means(name: str, frame: pd.DataFrame, smoothing: float, outputs: int) -> Means:
    """Smooth what was added up, of all of train and of all but each fold."""
    added = ["rows", *(f"sum_{i}" for i in range(outputs))]
    values = frame.drop_duplicates("place")[["place", "value"]].set_index("place")["value"]
    whole = frame.groupby("place", sort=False)[added].sum()
    parts = {WHOLE: whole}
    for fold in range(FOLDS):
        own = frame[frame["fold"] == fold].set_index("place")[added].reindex(whole.index, fill_value=0)
        parts[fold] = whole - own
    table = pd.concat([_encoded(part, values, fold, smoothing) for fold, part in parts.items()], ignore_index=True)
    of_all = table[table["fold"] == WHOLE].set_index("value").drop(columns="fold")
    missing = [0.0] * outputs
    if values.isna().any():
        missing = of_all[of_all.index.isna()].iloc[0].tolist()
    known = of_all[of_all.index.notna()]
    vocabulary = [str(value) for value in known.index]
    fitted = Target(name=name, vocabulary=vocabulary, means=known.to_numpy().tolist(), missing=missing)
    return Means(fitted, table)


def _encoded(part: pd.DataFrame, values: "pd.Series[str]", fold: int, smoothing: float) -> pd.DataFrame:
    weight = part["rows"].to_numpy(np.float64) + smoothing
    sums = part.drop(columns="rows").to_numpy(np.float64) / ONE
    means = np.divide(sums, weight[:, None], out=np.zeros_like(sums), where=weight[:, None] > 0)
    frame = pd.DataFrame(np.vectorize(rounded)(means))
    frame.insert(0, "value", values.to_numpy())
    frame.insert(1, "fold", np.full(len(frame), fold, np.int32))
    return frame


def _deviations(label: Label) -> list[Values]:
    """Return the label in deviations from the mean of train: one column, or one for each class if there are several."""
    raw = column(label.name)
    if not label.classes:
        return [(raw - label.mean) / label.scale]
    if len(label.classes) == 2:  # noqa: PLR2004
        shares = [(label.classes[1], label.prior[1])]
    else:
        shares = list(zip(label.classes, label.prior, strict=True))
    return [((raw == value).cast("double") - share) / sqrt(share * (1 - share)) for value, share in shares]
