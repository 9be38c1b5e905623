"""The logged model: raw rows in, predictions out."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from mlflow.types.schema import AnyType, Array
from pydantic import TypeAdapter
from torch import nn

from conf.manifest import Manifest
from conf.networks import AnyModel
from models.serving.encode import encode
from models.serving.predict import PREDICTION, load_network, score_columns, scores
from models.serving.sequences import PROBABILITIES, answer_texts

EVEN = 0.5  # above it, class 1 is predicted
BATCH_ROWS = 8192
MODEL: TypeAdapter[AnyModel] = TypeAdapter(AnyModel)


class TableModel(PythonModel):
    """A network, or a selected candidate that answers as one, with the encoding that it was trained on.

    Its artifacts are `manifest`, `model` (its configuration) and `weights`.

    Attributes:
        manifest: of the feature set.
        network: with its weights.

    """

    manifest: Manifest
    network: nn.Module

    def load_context(self, context: PythonModelContext) -> None:
        """Build the network once, when the model is loaded."""
        artifacts = {name: Path(path) for name, path in context.artifacts.items()}
        self.manifest = Manifest.model_validate_json(artifacts["manifest"].read_text(encoding="utf-8"))
        model = MODEL.validate_json(artifacts["model"].read_text(encoding="utf-8"))
        self.network = load_network(model, self.manifest, artifacts["weights"])

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002, MLflow's interface
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> pd.DataFrame:
        """Predict raw rows, the columns of `Manifest.raw`.

        Returns:
            `probability` of class 1 and `prediction`, a class (binary); `probability_CLASS` for each class and
            `prediction` (multiclass); `prediction` in the label's unit (regression); or what
            `models.serving.sequences.answer_texts` says of texts.

        Raises:
            FranklinError: a column is missing, or has values that it cannot take.

        """
        manifest = self.manifest
        if manifest.task == "sequence":
            return answer_texts(self.network, model_input, manifest)
        inputs = encode(model_input, manifest)
        parts = [
            scores(self.network, [each[first : first + BATCH_ROWS] for each in inputs], manifest)
            for first in range(0, max(1, len(model_input)), BATCH_ROWS)
        ]
        found = np.concatenate(parts)
        columns = score_columns(manifest)
        answer = pd.DataFrame(found.reshape(len(found), -1), columns=columns, index=model_input.index)
        if manifest.task != "regression":
            codes = found.argmax(axis=1) if manifest.task == "multiclass" else (found > EVEN).astype(int)
            answer[PREDICTION] = np.array(manifest.label.classes, dtype=object)[codes]
        return answer


def signature(manifest: Manifest) -> ModelSignature:
    """Name the columns that the model takes and gives.

    Numbers are of any type, also those in arrays: MLflow refuses 64-bit integers and columns of nothing but None where
    a double is asked for, and the model takes both.
    """
    untyped: Any = AnyType  # as it is in MLflow
    types = {str: DataType.string, float: untyped(), list: Array(untyped())}
    takes: list[ColSpec | TensorSpec] = [ColSpec(types[kind], name) for name, kind in manifest.raw.items()]
    gives: list[ColSpec | TensorSpec] = [ColSpec(DataType.double, name) for name in score_columns(manifest)]
    if manifest.task != "regression":
        gives.append(ColSpec(DataType.string, PREDICTION))
    if manifest.task == "sequence":
        gives.append(ColSpec(Array(DataType.double), PROBABILITIES))
    return ModelSignature(inputs=Schema(takes), outputs=Schema(gives))


def example(manifest: Manifest) -> pd.DataFrame:
    """The manifest's raw rows as the model takes them."""
    kinds = {name: np.float64 if kind is float else object for name, kind in manifest.raw.items()}
    return pd.DataFrame(manifest.example, columns=list(manifest.raw)).astype(kinds)
