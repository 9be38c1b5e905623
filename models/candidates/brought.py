"""Models that Spark has fitted, brought here: each answers as one that was fitted here does.

What the service of `spark_jobs.fitting` leaves of a final fit is read once, and saved as the candidate's own.
"""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import xgboost
from sklearn.tree._tree import NODE_DTYPE, Tree

from conf.checkpoints import PARTIAL
from conf.contests import CandidateName
from models.candidates.candidate import Fitted
from models.candidates.forms import Levels
from models.candidates.learning import PAIR, Classes
from models.candidates.linear import lines_of
from models.candidates.rows import Columns
from models.candidates.sums import Sum
from models.candidates.trees import Trees
from models.candidates.xgb import FILE as BOOSTER
from models.candidates.xgb import ONE_THREAD, Boosters

FILE = "arrays.npz"  # as `spark_jobs.fitting.arrays` says what is in it


def bring(candidate: CandidateName, folder: Path, columns: Columns) -> None:
    """Put in the place of what Spark has left in `folder` what `Candidate.load` reads; whole, or not at all."""
    fitted, partial = brought(candidate, folder, columns), folder.with_name(folder.name + PARTIAL)
    shutil.rmtree(partial, ignore_errors=True)  # of a try that was interrupted
    partial.mkdir()
    fitted.save(partial)
    shutil.rmtree(folder)
    partial.rename(folder)


def brought(candidate: CandidateName, folder: Path, columns: Columns) -> Fitted:
    """Read what Spark has fitted."""
    if candidate == "xgboost":
        return _booster(folder, columns)
    with np.load(folder / FILE, allow_pickle=False) as found:
        arrays = dict(found)
    if "left" not in arrays:
        levels = Levels(tuple(arrays[f"levels{place}"] for place in range(len(columns.codes))))
        weights, intercept = arrays["weights"], arrays["intercept"]
        return lines_of(columns, levels, _classes(columns, weights.shape[1]), weights, intercept)
    grown = _grown(arrays, columns.width)
    if candidate == "gradient_boosting":
        return Sum(grown, arrays["weights"], _classes(columns, PAIR))
    return Trees(grown, _classes(columns, arrays["values"].shape[1]))


def _classes(columns: Columns, outputs: int) -> Classes | None:
    """Those that Spark has known: up to the last one that it has seen."""
    if columns.task == "regression":
        return None
    return Classes(np.arange(max(PAIR, outputs)), len(columns.classes))


def _booster(folder: Path, columns: Columns) -> Boosters:
    """XGBoost's, which has seen codes as numbers."""
    booster = xgboost.Booster(ONE_THREAD, model_file=folder / BOOSTER)
    levels = Levels(tuple(np.arange(size) for size in columns.cardinalities))
    one = booster.inplace_predict(np.zeros((1, columns.width), np.float32), validate_features=False)
    return Boosters(booster, levels, _classes(columns, one.shape[-1]))


def _grown(arrays: dict[str, Any], features: int) -> list[Tree]:
    """scikit-learn's trees: they too compare numbers of 32 bits with a threshold of 64, and go left if not above."""
    grown, ends = [], np.cumsum(arrays["counts"])
    for start, stop in zip(ends - arrays["counts"], ends, strict=True):
        nodes = np.zeros(stop - start, NODE_DTYPE)
        for name, told in (("left_child", "left"), ("right_child", "right")):
            nodes[name] = arrays[told][start:stop]
        for name in ("feature", "threshold"):
            nodes[name] = arrays[name][start:stop]
        values = np.ascontiguousarray(arrays["values"][start:stop, None, :])
        each = Tree(features, np.array([values.shape[2]], np.intp), 1)
        each.__setstate__({"nodes": nodes, "values": values, "node_count": len(nodes), "max_depth": _depth(nodes)})
        grown.append(each)
    return grown


def _depth(nodes: Any) -> int:
    level, depth = np.zeros(1, np.int64), -1
    while len(level):
        inner = level[nodes["left_child"][level] >= 0]
        level, depth = np.concatenate([nodes["left_child"][inner], nodes["right_child"][inner]]), depth + 1
    return depth
