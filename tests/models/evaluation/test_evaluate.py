"""The engine, run as a process: metrics beside the baseline, predictions, pictures, and all of it in MLflow."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from mlflow import MlflowClient
from PIL import Image

from conf.data import Task
from conf.exchange import EvaluateRequest, EvaluateResult, Track
from conf.manifest import WHERE
from conf.networks import AnyNetwork
from conf.training import Feed
from models.evaluation.bootstrap import estimates
from models.evaluation.evaluate import evaluate
from models.evaluation.metrics import METRICS, judge, main_metric
from models.evaluation.predictions import Predictions
from tests.feature_sets import write_feature_set
from tests.models.networks.cases import SMALL_DECODER
from tests.models.trained import MODEL, Trained, train, weights_of
from tests.stores import new_store

PICTURES = {
    "binary": {"roc", "precision_recall", "calibration"},
    "multiclass": {"roc", "precision_recall", "calibration", "confusion"},
    "regression": {"predicted_true", "residuals", "residuals_by_prediction"},
    "sequence": {"losses"},
}


def request_of(trained: Trained, folder: Path, track: Track | None = None) -> EvaluateRequest:
    return EvaluateRequest(
        answer=folder / "evaluate.json",
        feature_set=str(trained.feature_set),
        weights=trained.weights,
        model=trained.model,
        feed=Feed(name="arrow", batch_size=256, layout="stored", memory="1m", cache=None),
        seed=1,
        bootstrap=50,
        run_folder=folder / "evaluate",
        track=track,
    )


@pytest.mark.parametrize("task", METRICS)
def test_a_trained_network_beats_the_trivial_predictor(task: Task, tmp_path: Path) -> None:
    trained = train(tmp_path, task, model=SMALL_DECODER if task == "sequence" else MODEL)
    request = request_of(trained, tmp_path)
    result = evaluate(request)
    assert result.metrics.keys() == result.baseline.keys() == {"validation", "test"}
    main = main_metric(task)
    for split in ("validation", "test"):
        assert set(result.metrics[split]) == set(result.baseline[split]) == {metric.name for metric in METRICS[task]}
        found, trivial = result.metrics[split][main.name], result.baseline[split][main.name]
        assert (found.low > trivial) if main.higher_is_better else (found.high < trivial)
    pictures = {path.stem: Image.open(path) for path in (request.run_folder / "figures").iterdir()}
    assert pictures.keys() == PICTURES[task]
    for picture in pictures.values():
        assert picture.size == (990, 900)
        assert len(np.unique(np.asarray(picture.convert("L")))) > 20


@pytest.mark.parametrize(("task", "model"), [("multiclass", MODEL), ("sequence", SMALL_DECODER)])
def test_predictions_are_kept_and_give_the_same_metrics(task: Task, model: AnyNetwork, tmp_path: Path) -> None:
    trained = train(tmp_path, task, rows=1000, model=model)
    request = request_of(trained, tmp_path)
    result = evaluate(request)
    kept = Predictions.read(request.run_folder / "predictions", "test", trained.manifest)
    assert kept.rows == trained.manifest.splits["test"].rows
    again = estimates(judge(task, kept.scores, kept.label), kept.rows, request.bootstrap, request.seed)
    assert again == result.metrics["test"]
    assert result.intervals_by["test"] == "single rows"


def test_whole_days_are_drawn_where_the_feature_set_keeps_them(tmp_path: Path) -> None:
    manifest = write_feature_set(tmp_path / "features", "binary", 1000, where="day")
    weights = weights_of(tmp_path / "features", manifest, tmp_path / "weights.pt", epochs=1)
    request = request_of(Trained(tmp_path / "features", manifest, weights), tmp_path)
    result = evaluate(request)
    for split in ("validation", "test"):
        kept = Predictions.read(request.run_folder / "predictions", split, manifest)
        files = [tmp_path / "features" / file.path for file in manifest.splits[split].files]
        days = np.concatenate([pq.read_table(file)[WHERE].to_numpy() for file in files])
        judged = judge("binary", kept.scores, kept.label)
        assert result.intervals_by[split] == f"whole days, {len(np.unique(days))} of them"
        assert result.metrics[split] == estimates(judged, kept.rows, request.bootstrap, request.seed, clusters=days)


def test_the_engine_writes_into_a_run_that_stays_open(tmp_path: Path) -> None:
    uri = new_store(tmp_path)
    client = MlflowClient(uri)
    experiment = client.create_experiment("test", artifact_location=str(tmp_path / "artifacts"))
    run_id = client.create_run(experiment).info.run_id
    request = request_of(train(tmp_path, "binary"), tmp_path, Track(uri=uri, run_id=run_id))
    (tmp_path / "request.json").write_text(request.model_dump_json(), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "models.evaluation.evaluate", str(tmp_path / "request.json")], check=True)
    answer = request.answer.read_text(encoding="utf-8").removeprefix('{"result": ').removesuffix("}")
    result = EvaluateResult.model_validate_json(answer)
    run = client.get_run(run_id)
    assert run.info.status == "RUNNING"
    auc = result.metrics["test"]["auc"]
    logged = run.data.metrics
    assert (logged["test_auc"], logged["test_auc_low"], logged["test_auc_high"]) == (auc.value, auc.low, auc.high)
    assert logged["baseline_test_auc"] == 0.5
    assert len(logged) == 2 * 5 * 4
    pictures = {Path(file.path).stem for file in client.list_artifacts(run_id, "figures")}
    assert pictures == PICTURES["binary"]


def test_a_run_without_tracking_imports_no_mlflow_before_it_draws() -> None:
    code = "import models.evaluation.evaluate, sys; assert not {'mlflow', 'matplotlib', 'sklearn'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True)
