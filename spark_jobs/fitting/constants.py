"""Baselines: candidates that look at the label alone."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from conf.contests import CandidateName
from conf.errors import FranklinError
from conf.manifest import WHERE, Manifest
from spark_jobs.fitting.rows import LABEL

BASELINES: tuple[CandidateName, ...] = ("mean", "median", "majority", "last_value")
FILE = "constant.json"


def constant(candidate: CandidateName, learn: DataFrame, manifest: Manifest) -> NDArray[np.float64]:
    """Give the score of every row: `()`, or `(classes,)`.

    Raises:
        FranklinError: The last value is asked for, and rows have no day.

    """
    if candidate == "last_value":
        if manifest.where != "day":
            raise FranklinError(f"rows of {manifest.name} have no day, so there is no last value; leave last_value out")
        newest = learn.agg(F.max(WHERE)).collect()[0][0]
        learn = learn.where(F.col(WHERE) == newest)
    if manifest.task == "regression":
        of = F.median if candidate == "median" else F.avg
        return np.asarray(learn.agg(of(LABEL)).collect()[0][0], np.float64)
    counts = np.zeros(len(manifest.label.classes))
    for label, rows in learn.groupBy(LABEL).count().collect():
        counts[int(label)] = rows
    shares = counts / counts.sum()
    return np.asarray(shares[1] if manifest.task == "binary" else shares)


def save(score: NDArray[np.float64], folder: Path) -> None:
    """Write the score as JSON, as the candidates of this machine do."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(json.dumps(score.tolist()), encoding="utf-8")
