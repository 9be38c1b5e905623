"""Engine `python -m models.serving.register REQUEST.json`: log the model, register it, decide about `champion`."""

import tempfile
import time
from pathlib import Path

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Metric, RunTag
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode

from conf.exchange import RegisterRequest, RegisterResult, clean_up_on_sigterm, progress, serve
from conf.manifest import Manifest, read_manifest
from models.evaluation.metrics import Floats, judge, main_metric
from models.evaluation.predictions import predict_split
from models.serving.holdout import Holdout, ScoringError
from models.serving.package import log
from models.serving.predict import load_network
from models.serving.promotion import Champion, Contest, Decision

CHAMPION, CHALLENGER = "champion", "challenger"
SPLIT = "split"  # a tag: how rows were split when a version was trained
TOLERANCE = 1e-5  # of a score, relative to the label's scale
MEMORY_BYTES = 2**26
STEPS = 4


def register(request: RegisterRequest) -> RegisterResult:
    """Log, check and register the model; `request.track`'s run is written into and stays open."""
    manifest = read_manifest(request.feature_set)
    client = MlflowClient(request.track.uri)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        progress(0, STEPS, "steps", "log the model")
        model_uri = log(request, manifest, folder).model_uri
        progress(1, STEPS, "steps", "score the holdout")
        holdout = Holdout.read(request.feature_set, manifest)
        scores = holdout.scores(model_uri)
        check(scores, holdout.label, request, manifest)
        progress(2, STEPS, "steps", "compare with the champion")
        holder = champion_version(client, request.name)
        decision = _decide(client, request, holdout, scores, holder=holder, folder=folder)
        while (now := champion_version(client, request.name)) != holder:  # another run was faster
            holder = now
            decision = _decide(client, request, holdout, scores, holder=holder, folder=folder)
    progress(3, STEPS, "steps", "register the version and write the decision")
    version = int(mlflow.register_model(model_uri, request.name).version)
    client.set_registered_model_alias(request.name, CHALLENGER, str(version))
    if decision.wins:
        client.set_registered_model_alias(request.name, CHAMPION, str(version))
    metrics = _main(manifest, scores, holdout.label)
    _record(client, request, version=version, holder=holder, decision=decision, metrics=metrics)
    return RegisterResult(
        model_uri=model_uri,
        version=version,
        alias=CHAMPION if decision.wins else CHALLENGER,
        decision=decision.text,
    )


def champion_version(client: MlflowClient, name: str) -> int | None:
    """Return the version of `name` that holds the alias `champion`, if any."""
    try:
        return int(client.get_model_version_by_alias(name, CHAMPION).version)
    except MlflowException as error:
        # A registry says that an alias is free by an error of either code, the database and the server alike.
        if error.error_code in {ErrorCode.Name(RESOURCE_DOES_NOT_EXIST), "INVALID_PARAMETER_VALUE"}:
            return None
        raise


def check(scores: Floats, label: Floats, request: RegisterRequest, manifest: Manifest) -> None:
    """Hold the logged model's scores of the raw rows against the network's of the encoded test split.

    Both are sorted first: the holdout need not keep the order of the split.

    Raises:
        RuntimeError: they differ, so raw rows are encoded otherwise than Spark did it.

    """
    network = load_network(request.model, manifest, request.weights)
    test = predict_split(
        network, request.feature_set, manifest, "test", memory_bytes=MEMORY_BYTES, told=lambda _rows: None
    )
    if len(test.label) != len(label):
        raise RuntimeError(f"the holdout has {len(label)} rows and the test split {len(test.label)}")
    gap = float(np.abs(np.sort(scores, axis=0) - np.sort(test.scores, axis=0)).max()) / manifest.label.scale
    if gap > TOLERANCE:
        raise RuntimeError(f"the logged model's scores of the raw rows differ from the evaluation's by {gap:.2e}")


def _decide(
    client: MlflowClient,
    request: RegisterRequest,
    holdout: Holdout,
    scores: Floats,
    *,
    holder: int | None,
    folder: Path,
) -> Decision:
    if request.promotion == "disabled":
        return Decision(wins=False, text="promotion is disabled")
    champion = None
    if holder is not None:
        split = client.get_model_version(request.name, str(holder)).tags.get(SPLIT)
        if split == request.split.model_dump_json():
            champion = _scored(request, holdout, holder, folder)
        else:
            champion = Champion(holder, None, f"its split was {split}, so it may have learned from these rows")
    contest = Contest(holdout.manifest.task, holdout.label, request.bootstrap, request.seed)
    return contest.decide(scores, champion).under(request.promotion)


def _scored(request: RegisterRequest, holdout: Holdout, holder: int, folder: Path) -> Champion:
    try:
        uri = f"models:/{request.name}/{holder}"
        return Champion(holder, holdout.scores_apart(uri, request.track.uri, folder))
    except ScoringError as error:
        return Champion(holder, None, f"it can't score these rows ({error})")


def _main(manifest: Manifest, scores: Floats, label: Floats) -> dict[str, float]:
    name = main_metric(manifest.task).name
    values = judge(manifest.task, scores, label)(np.ones(len(label)))
    return {f"holdout_{name}": values[name]} if name in values else {}


def _record(
    client: MlflowClient,
    request: RegisterRequest,
    *,
    version: int,
    holder: int | None,
    decision: Decision,
    metrics: dict[str, float],
) -> None:
    """Write the decision, its numbers and the way back where a person looks for them: at the version and at the run."""
    tags = {"decision": decision.text, "previous_champion": str(holder or "none")}
    tags[SPLIT] = request.split.model_dump_json()
    if decision.wins and holder is not None:
        tags["way_back"] = f"MlflowClient().set_registered_model_alias('{request.name}', '{CHAMPION}', '{holder}')"
    numbers = metrics | {f"promotion_{name}": value for name, value in decision.metrics.items()}
    for key, value in (tags | {name: f"{value:.6g}" for name, value in numbers.items()}).items():
        client.set_model_version_tag(request.name, str(version), key, value)
    now = int(time.time() * 1000)
    client.log_batch(
        request.track.run_id,
        metrics=[Metric(name, value, now, 0) for name, value in numbers.items()],
        tags=[RunTag(key, value) for key, value in (tags | {"model_version": str(version)}).items()],
    )


if __name__ == "__main__":
    clean_up_on_sigterm()
    serve(RegisterRequest, register)
