"""A selected candidate is fitted, judged, logged and served as a network is, and brings its library and no other."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow.artifacts import download_artifacts

from conf.contests import CandidateName
from conf.data import Task
from conf.errors import FranklinError
from conf.exchange import EvaluateRequest, FitRequest, FitResult, RegisterRequest, TrainRequest
from conf.networks import Learning, Selected
from models.candidates.train import train
from models.evaluation.evaluate import evaluate
from models.evaluation.predictions import predict_split
from models.serving.holdout import scores_of
from models.serving.package import log, needed
from models.serving.predict import load_network
from models.serving.register import register
from tests.feature_sets import write_feature_set
from tests.models.launch import request as training
from tests.models.serving.test_model import ALONE, raw_rows
from tests.models.trained import Trained

NewRequest = Callable[[Trained, str], RegisterRequest]
CASES = [
    pytest.param("binary", "lightgbm", "lightgbm", marks=pytest.mark.soak),
    ("multiclass", "logistic_regression", "scikit-learn"),
    pytest.param("regression", "ridge", "scikit-learn", marks=pytest.mark.soak),
    ("binary", "ensemble", "lightgbm"),  # of LightGBM and a network
]


def selected(candidate: str, **values: object) -> Selected:
    return Selected.model_validate({"name": "selected", "candidate": candidate, "values": values})


def ensemble(features: Path, folder: Path) -> tuple[Selected, dict[CandidateName, TrainRequest]]:
    """Trees and a network, and how that is trained."""
    train = training(features, folder / "networks")
    learning = {key: getattr(train, key) for key in Learning.model_fields}
    members = [
        {"candidate": "lightgbm", "weight": 0.75, "values": {"leaves": 7}, "rows": 500},
        {"candidate": "mlp", "weight": 0.25, "values": {"optimizer.learning_rate": 0.02}, "learning": learning},
    ]
    chosen = {"name": "selected", "candidate": "ensemble", "values": {}, "members": members}
    return Selected.model_validate(chosen), {"mlp": train}


def fit(
    folder: Path, features: Path, model: Selected, networks: dict[CandidateName, TrainRequest] | None = None
) -> FitResult:
    asked = FitRequest(
        answer=folder / "train.json",
        feature_set=str(features),
        run_folder=folder,
        seed=1,
        model=model,
        networks=networks or {},
        cores=1,
    )
    return train(asked)


def fitted(folder: Path, task: Task, candidate: str) -> Trained:
    """The candidate, fitted on a feature set of its own."""
    manifest = write_feature_set(folder / "features", task, 2000, tensor=True)
    networks: dict[CandidateName, TrainRequest] = {}
    if candidate == "ensemble":
        model, networks = ensemble(folder / "features", folder)
    else:
        model = selected(candidate)
    result = fit(folder / "run", folder / "features", model, networks)
    assert result.rows == manifest.splits["train"].rows
    return Trained(folder / "features", manifest, result.weights, model)


@pytest.mark.parametrize(("task", "candidate", "library"), CASES)
def test_it_loads_where_franklin_is_not_and_equals_the_evaluation(
    task: Task, candidate: str, library: str, new_request: NewRequest, tmp_path: Path
) -> None:
    one = fitted(tmp_path, task, candidate)
    info = log(new_request(one, candidate), one.manifest, tmp_path)
    logged = Path(download_artifacts(info.model_uri, dst_path=str(tmp_path / "logged")))
    raw_rows(one).to_parquet(tmp_path / "rows.parquet")
    (tmp_path / "alone.py").write_text(ALONE, encoding="utf-8")
    root = str(Path(__file__).resolve().parents[3])
    arguments = [str(logged), str(tmp_path / "rows.parquet"), str(tmp_path / "answer.parquet"), root]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-P", str(tmp_path / "alone.py"), *arguments]
    subprocess.run(command, check=True, cwd=tmp_path, env=environment)
    answer = scores_of(pd.read_parquet(tmp_path / "answer.parquet"), one.manifest)
    network = load_network(one.model, one.manifest, one.weights)
    test = predict_split(
        network, str(one.feature_set), one.manifest, "test", memory_bytes=2**20, told=lambda _rows: None
    )
    assert np.allclose(answer, test.scores, atol=1e-9)
    names = {line.partition("==")[0] for line in (logged / "requirements.txt").read_text(encoding="utf-8").split()}
    assert library in names
    assert "xgboost-cpu" not in names


def test_it_is_judged_and_registered(new_request: NewRequest, tmp_path: Path) -> None:
    one = fitted(tmp_path, "binary", "logistic_regression")
    asked = training(one.feature_set, tmp_path)
    judged = evaluate(
        EvaluateRequest(
            answer=tmp_path / "evaluate.json",
            feature_set=str(one.feature_set),
            weights=one.weights,
            model=one.model,
            feed=asked.feed,
            seed=1,
            bootstrap=50,
            run_folder=tmp_path / "evaluate",
            track=None,
        )
    )
    assert judged.metrics["test"]["auc"].value > judged.baseline["test"]["auc"] + 0.05
    assert register(new_request(one, "selected")).decision == "first champion"


def test_a_network_brings_no_candidates_and_a_candidate_no_other_library() -> None:
    files, names = needed(selected("ridge"))
    assert any(file.name == "linear.py" for file in files)
    assert not any(file.name in ("lgbm.py", "xgb.py", "contest.py") for file in files)
    assert not {"lightgbm", "xgboost-cpu"} & set(names)


@pytest.mark.parametrize(
    ("task", "model", "complaint"),
    [
        ("regression", selected("logistic_regression"), "logistic_regression is not for task=regression"),
        ("binary", selected("ridge", strenght=1.0), "did you mean 'strength'"),
    ],
)
def test_what_cannot_be_fitted_is_told(task: Task, model: Selected, complaint: str, tmp_path: Path) -> None:
    write_feature_set(tmp_path / "features", task, 200, tensor=True)
    with pytest.raises(FranklinError, match=complaint):
        fit(tmp_path / "run", tmp_path / "features", model)
