"""What was fitted, as arrays: `models.candidates.brought` makes of them a model that answers without Spark."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from spark_jobs.sources.far import plain_url

FILE, BOOSTER = "arrays.npz", "model.ubj"
Arrays = dict[str, NDArray[Any]]


def save(spark: SparkSession, model: Any, tables: Sequence[NDArray[np.int64]], folder: Path) -> None:
    """Write a fitted learner, the last stage of `spark_jobs.fitting.learners.pipeline`.

    XGBoost's is its own file. Of a linear model: `weights`, `(numbers + levels, outputs)`, `intercept`, `(outputs,)`,
    and `levels0`, `levels1`, ..., the tables. Of trees, one after the other: `left` and `right`, the number of the node
    there in its tree (-1: a leaf), `feature`, `threshold` (rows that are not above it go left) and `values`,
    `(nodes, 1)`, or `(nodes, classes)` with shares of classes; `counts`, nodes of each tree; `weights` of trees.

    Args:
        spark: a session, which reads what MLlib writes of trees.
        model: what was fitted.
        tables: levels of codes, of a linear model.
        folder: to write into; made, if it is not there.

    """
    folder.mkdir(parents=True, exist_ok=True)
    if hasattr(model, "get_booster"):
        model.get_booster().save_model(folder / BOOSTER)
    elif hasattr(model, "coefficientMatrix"):
        _save(folder, tables, weights=model.coefficientMatrix.toArray().T, intercept=model.interceptVector.toArray())
    elif hasattr(model, "coefficients"):
        _save(folder, tables, weights=model.coefficients.toArray()[:, None], intercept=np.array([model.intercept]))
    else:
        _save(folder, (), **_trees(spark, model, folder / "spark"))


def _save(folder: Path, tables: Sequence[NDArray[np.int64]], **named: NDArray[Any]) -> None:
    arrays: dict[str, Any] = {**named, **{f"levels{place}": table for place, table in enumerate(tables)}}
    np.savez(folder / FILE, **arrays)


def _trees(spark: SparkSession, model: Any, place: Path) -> Arrays:
    """Read nodes as MLlib saves them, the one way to them that Spark Connect has, too."""
    shares = hasattr(model, "numClasses") and not hasattr(model, "getLossType")  # boosted trees have values
    try:
        model.write().overwrite().save(plain_url(str(place)))
        found = _nodes(spark.read.parquet(plain_url(str(place / "data"))), "impurityStats" if shares else "prediction")
    finally:
        if place.exists():  # else a server of Spark Connect has it, on another machine
            shutil.rmtree(place)
    values = np.stack(list(found["told"])) if shares else found["told"].to_numpy()[:, None]
    return {
        "left": found["leftChild"].to_numpy(np.int64),
        "right": found["rightChild"].to_numpy(np.int64),
        "feature": found["feature"].to_numpy(np.int64),
        "threshold": found["threshold"].to_numpy(np.float64),
        "values": values / values.sum(axis=1, keepdims=True) if shares else values,
        "counts": found.groupby("treeID").size().to_numpy(),
        "weights": np.array(getattr(model, "treeWeights", [1.0])),
    }


def _nodes(nodes: DataFrame, told: str) -> pd.DataFrame:
    """Order the nodes of all trees, of which one alone has no number; `told` is the column of what a node says."""
    one = "nodeData" not in nodes.columns
    nodes = nodes.select(F.lit(0).alias("treeID"), "*") if one else nodes.select("treeID", "nodeData.*")
    found = nodes.select(
        *("treeID", "id", "leftChild", "rightChild"),
        F.col(told).alias("told"),
        F.col("split.featureIndex").alias("feature"),
        F.coalesce(F.get("split.leftCategoriesOrThreshold", F.lit(0)), F.lit(0.0)).alias("threshold"),
    )
    return found.toPandas().sort_values(["treeID", "id"])
