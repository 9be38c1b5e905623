"""Engine `python -m models.evaluation.evaluate REQUEST.json`: judge weights on the validation and test splits."""

import time
from typing import Literal

import numpy as np
import torch

from conf.exchange import Estimate, EvaluateRequest, EvaluateResult, Track, progress, serve
from conf.manifest import Manifest, read_manifest
from models.evaluation.bootstrap import drawable, drawn, estimates
from models.evaluation.metrics import Ints, judge, trivial
from models.evaluation.predictions import Predictions, belongings, predict_split
from models.serving.predict import load_network

SAMPLES = "samples.txt"
JUDGED: tuple[Literal["validation", "test"], ...] = ("validation", "test")


def evaluate(request: EvaluateRequest) -> EvaluateResult:
    """Predict both splits, write what was predicted, pictures and, of a text, samples, and say how good it is."""
    torch.manual_seed(request.seed)
    manifest = read_manifest(request.feature_set)
    network = load_network(request.model, manifest, request.weights)
    total = sum(manifest.splits[split].rows for split in JUDGED)
    done = 0

    def told(rows: int) -> None:
        nonlocal done
        done += rows
        progress(done, total, "rows")

    metrics: dict[str, dict[str, Estimate]] = {}
    baseline: dict[str, dict[str, float]] = {}
    intervals_by: dict[str, str] = {}
    for split in JUDGED:
        predictions = predict_split(
            network, request.feature_set, manifest, split, memory_bytes=request.feed.memory_bytes, told=told
        )
        predictions.write(request.run_folder / "predictions", split, manifest)
        where = belongings(request.feature_set, manifest, split)
        metrics[split], baseline[split] = _judged(predictions, manifest, request, drawable(where))
        intervals_by[split] = drawn(where, manifest.where)
    result = EvaluateResult(metrics=metrics, baseline=baseline, intervals_by=intervals_by)
    progress(total, total, "rows", "figures")
    _draw(predictions, manifest, result, request)
    if manifest.task == "sequence":
        from models.serving.sampling import write_samples  # imports mlflow

        write_samples(network, manifest, request.run_folder / SAMPLES, request.seed)
    if request.track is not None:
        _record(request.track, result, request)
    return result


def named(result: EvaluateResult) -> dict[str, float]:
    """The metrics as they are called in MLflow: `test_auc`, `test_auc_low`, `baseline_test_auc` and so on."""
    found = {}
    for split, metrics in result.metrics.items():
        for name, estimate in metrics.items():
            found[f"{split}_{name}"] = estimate.value
            found[f"{split}_{name}_low"] = estimate.low
            found[f"{split}_{name}_high"] = estimate.high
    for split, values in result.baseline.items():
        found |= {f"baseline_{split}_{name}": value for name, value in values.items()}
    return found


def _judged(
    predictions: Predictions, manifest: Manifest, request: EvaluateRequest, clusters: Ints | None
) -> tuple[dict[str, Estimate], dict[str, float]]:
    """The metrics of the model with their intervals, and those of the trivial predictor."""
    rows, label = predictions.rows, predictions.label
    ours = judge(manifest.task, predictions.scores, label)
    theirs = judge(manifest.task, trivial(manifest.task, manifest.label, label), label)
    found = estimates(ours, rows, request.bootstrap, request.seed, clusters=clusters)
    return found, theirs(np.ones(rows))


def _draw(test: Predictions, manifest: Manifest, result: EvaluateResult, request: EvaluateRequest) -> None:
    from models.evaluation.figures import draw  # matplotlib takes most of a second to import

    draw(test, manifest, result.metrics["test"], result.baseline["test"], request.run_folder / "figures")


def _record(track: Track, result: EvaluateResult, request: EvaluateRequest) -> None:
    from mlflow import MlflowClient  # takes more than a second to import, and runs without tracking need none
    from mlflow.entities import Metric

    client = MlflowClient(track.uri)
    now = int(time.time() * 1000)
    client.log_batch(track.run_id, metrics=[Metric(name, value, now, 0) for name, value in named(result).items()])
    client.log_artifacts(track.run_id, str(request.run_folder / "figures"), "figures")
    if (request.run_folder / SAMPLES).exists():
        client.log_artifact(track.run_id, str(request.run_folder / SAMPLES))


if __name__ == "__main__":
    serve(EvaluateRequest, evaluate)
