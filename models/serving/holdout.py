"""The raw test rows of a feature set, and what logged models say of them."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import fsspec
import mlflow.pyfunc
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from conf.errors import FranklinError
from conf.manifest import Manifest
from models.evaluation.metrics import Floats
from models.serving.predict import score_columns
from models.serving.tensors import encode_tensor

PART_ROWS = 65_536  # that are in memory at a time


class ScoringError(Exception):
    """A logged model could not score the rows; the text is the last line that it left."""


@dataclass(frozen=True)
class Holdout:
    """Raw rows without their labels, read part by part however many there are, and `(rows,)` labels (codes or values).

    The label of a sequence is in its row: `(rows, places)` tokens. The order is that of the files.
    """

    manifest: Manifest
    feature_set: str
    label: Floats

    @classmethod
    def read(cls, feature_set: str, manifest: Manifest) -> "Holdout":
        """Read the labels of the holdout rows of `feature_set`."""
        labels = [_label(part[manifest.label.name], manifest) for part in _parts(feature_set, manifest)]
        return cls(manifest, feature_set, np.concatenate(labels))

    def rows(self) -> Iterator[pa.RecordBatch]:
        """Read the rows, some at a time."""
        for part in _parts(self.feature_set, self.manifest):
            yield part if self.manifest.task == "sequence" else part.drop_columns([self.manifest.label.name])

    def scores(self, uri: str) -> Floats:
        """Score the rows with a model that was logged by this very code."""
        model = mlflow.pyfunc.load_model(uri)
        return np.concatenate([scores_of(model.predict(rows.to_pandas()), self.manifest) for rows in self.rows()])

    def scores_apart(self, uri: str, tracking_uri: str, folder: Path) -> Floats:
        """Score the rows with a model of any age, in a process of its own with the code that the model brings.

        Raises:
            ScoringError: it failed, or does not return the columns of this task.

        """
        folder = Path(tempfile.mkdtemp(dir=folder))  # of this champion; there may be another one after it
        rows, answer, log = folder / "rows", folder / "scores", folder / "score.log"
        rows.mkdir()
        for number, part in enumerate(self.rows()):
            pq.write_table(pa.table(part), rows / f"{number:06d}.parquet")
        script = Path(__file__).with_name("score.py").resolve()
        with log.open("w", encoding="utf-8") as file:
            ended = subprocess.run(
                [sys.executable, "-P", str(script), uri, str(rows), str(answer)],
                cwd=folder,
                env=os.environ | {"MLFLOW_TRACKING_URI": tracking_uri},
                stdout=file,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if ended.returncode != 0:
            lines = log.read_text(encoding="utf-8").strip().splitlines()
            raise ScoringError(lines[-1] if lines else f"exit status {ended.returncode}")
        answers = (pd.read_parquet(part) for part in sorted(answer.iterdir()))
        return np.concatenate([scores_of(part, self.manifest) for part in answers])


def scores_of(answer: pd.DataFrame, manifest: Manifest) -> Floats:
    """Take `(rows,)` or `(rows, columns)` scores from what the logged model returned.

    Raises:
        ScoringError: it returned other columns, or classes where a number is expected.

    """
    columns = score_columns(manifest)
    if not set(columns) <= set(answer.columns):
        raise ScoringError(f"it returns {', '.join(answer.columns)} and not {', '.join(columns)}")
    if not all(pd.api.types.is_float_dtype(answer[name]) for name in columns):
        raise ScoringError(f"its {', '.join(columns)} is no number")
    scores: Floats = answer[columns].to_numpy(np.float64)
    return scores if len(columns) > 1 else scores[:, 0]


def _parts(feature_set: str, manifest: Manifest) -> Iterator[pa.RecordBatch]:
    filesystem, root = fsspec.core.url_to_fs(feature_set)
    for file in manifest.holdout:
        with pq.ParquetFile(f"{root}/{file.path}", filesystem=filesystem) as opened:
            yield from opened.iter_batches(PART_ROWS)


def _label(values: pa.Array, manifest: Manifest) -> Floats:
    if manifest.task == "regression":
        return np.asarray(pc.cast(values, pa.float64()))
    if manifest.task == "sequence":
        (column,) = manifest.tensors
        return encode_tensor(values.to_pandas(), column)[:, 1:].double().numpy()
    codes = pc.index_in(pc.cast(values, pa.string()), value_set=pa.array(manifest.label.classes))
    if codes.null_count:
        raise FranklinError(
            f"holdout rows have values of {manifest.label.name} that are none of its classes "
            f"({', '.join(manifest.label.classes)}); prepare the feature set anew"
        )
    return np.asarray(pc.cast(codes, pa.float64()))
