"""MLflow seen from the flow: runs are opened here and closed as FINISHED, FAILED or KILLED, whatever happens."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, LifecycleStage, Metric, Param, Run, RunStatus, RunTag
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from conf.errors import FranklinError
from conf.exchange import Track
from conf.manifest import Manifest
from conf.schema import Settings
from flows.owners import owner, take
from flows.reach import check_reachable, is_server
from flows.server import local_store, running


class Tracker:
    """One MLflow run of a flow, and the nested runs of its stages and trials."""

    def __init__(self, client: MlflowClient, store: str, home: Path, experiment_id: str, run_id: str) -> None:
        """Write into the run `run_id`, which is open; `abandoned` are ids of flow runs that died and were closed."""
        self.client, self.store, self.home = client, store, home
        self.experiment_id, self.run_id = experiment_id, run_id
        self.closed = False
        self.abandoned: list[str] = []

    @property
    def track(self) -> Track:
        """What an engine needs to write into this run."""
        return Track(uri=self.store, run_id=self.run_id)

    @property
    def quick_track(self) -> Track:
        """The same for an engine that is soon done: through the server of a running `franklin up`, if it has the store.

        That server has opened the store already, which takes a process of its own a second; but it may end any time.
        """
        server = running(self.home).get("mlflow") if self.store == local_store(self.home) else None
        return Track(uri=server or self.store, run_id=self.run_id)

    def record(
        self,
        metrics: Mapping[str, float] | None = None,
        params: Mapping[str, object] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Write metrics, parameters and tags in one batch."""
        now = int(time.time() * 1000)
        self.client.log_batch(
            self.run_id,
            metrics=[Metric(key, value, now, 0) for key, value in (metrics or {}).items()],
            params=[Param(key, str(value)) for key, value in (params or {}).items()],
            tags=[RunTag(key, value) for key, value in (tags or {}).items()],
        )

    def record_input(self, manifest: Manifest, folder: str) -> None:
        """Log the feature set as the run's dataset."""
        types: dict[type, object] = {float: "double", str: "string", list: "array"}
        columns = [{"type": types[kind], "name": name, "required": False} for name, kind in manifest.raw.items()]
        rows: dict[str, int] = {f"{name}_rows": split.rows for name, split in manifest.splits.items()}
        dataset = Dataset(
            name=manifest.name,
            digest=manifest.fingerprint[:12],
            source_type="local",
            source=json.dumps({"uri": folder}),
            schema=json.dumps({"mlflow_colspec": columns}),
            profile=json.dumps(rows),
        )
        inputs = [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])]
        self.client.log_inputs(self.run_id, inputs)

    def record_profile(self, folder: Path) -> None:
        """Keep what the columns of the feature set in `folder` look like, as a page and as numbers."""
        for name in ("profile.html", "profile.json"):
            self.client.log_artifact(self.run_id, str(folder / name), "profile")

    @contextmanager
    def nested(self, name: str, tags: Mapping[str, str]) -> Iterator["Tracker"]:
        """A run below this one."""
        everything = {MLFLOW_PARENT_RUN_ID: self.run_id, **tags}
        run = self.client.create_run(self.experiment_id, run_name=name, tags=everything)
        below = Tracker(self.client, self.store, self.home, self.experiment_id, run.info.run_id)
        with below.closing():
            yield below

    @contextmanager
    def closing(self) -> Iterator[None]:
        """Close the run as what became of the block: an interruption or a signal is KILLED, an error is FAILED."""
        try:
            yield
        except BaseException as error:
            try:
                self._close(RunStatus.FAILED if isinstance(error, Exception) else RunStatus.KILLED)
            except MlflowException as unheard:
                error.add_note(f"its MLflow run {self.run_id} could not be closed either: {unheard}")
            raise
        self._close(RunStatus.FINISHED)

    def _close(self, status: int) -> None:
        self.client.set_terminated(self.run_id, RunStatus.to_string(status))
        self.closed = True


@contextmanager
def tracked(settings: Settings, folder: Path, name: str, tags: Mapping[str, str]) -> Iterator[Tracker]:
    """Open the MLflow run of a flow run, or open it again when the flow run is tried again in the same `folder`.

    Raises:
        FranklinError: the tracking server can't be reached.

    """
    uri = settings.tracking.uri or local_store(settings.home)
    check_reachable(uri)
    settings.home.mkdir(parents=True, exist_ok=True)
    client = MlflowClient(uri)
    experiment_id = _experiment(client, settings.experiment, None if is_server(uri) else settings.home / "mlartifacts")
    abandoned = _close_abandoned(client, uri, folder.parent)
    before = owner(folder)
    if before is None:
        run_id = client.create_run(experiment_id, run_name=name, tags=dict(tags)).info.run_id
    else:
        run_id = before.track.run_id
        client.update_run(run_id, status=RunStatus.to_string(RunStatus.RUNNING))
    tracker = Tracker(client, uri, settings.home, experiment_id, run_id)
    tracker.abandoned = [name for name in abandoned if name != folder.name]  # this one is being tried again
    take(folder, tracker.track, closed=False)
    try:
        with tracker.closing():
            yield tracker
    finally:
        # One that MLflow has not heard of is left to the next run.
        take(folder, tracker.track, closed=tracker.closed)


def _close_abandoned(client: MlflowClient, uri: str, folders: Path) -> list[str]:
    """Close as KILLED what flows left RUNNING that were killed outright, with a word why; their flow runs' ids."""
    closed = []
    for folder in folders.iterdir():
        before = owner(folder)
        if before is None or before.track.uri != uri or not before.died:
            continue
        for run in _family(client, before.track.run_id):
            if run.info.status == RunStatus.to_string(RunStatus.RUNNING):
                client.set_tag(run.info.run_id, "ended", "its flow's process was killed")
                client.set_terminated(run.info.run_id, RunStatus.to_string(RunStatus.KILLED))
        take(folder, before.track, closed=True)
        closed.append(folder.name)
    return closed


def _family(client: MlflowClient, run_id: str) -> list[Run]:
    """A run's trials, its stages and itself, without what a person has deleted."""
    try:
        parent = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
            raise
        return []
    if parent.info.lifecycle_stage != LifecycleStage.ACTIVE:
        return []

    def below(run: Run) -> list[Run]:
        wanted = f"tags.{MLFLOW_PARENT_RUN_ID} = '{run.info.run_id}'"
        return list(client.search_runs([parent.info.experiment_id], wanted))

    stages = below(parent)
    return [*(trial for stage in stages for trial in below(stage)), *stages, parent]


def _experiment(client: MlflowClient, name: str, artifacts: Path | None) -> str:
    """The experiment's id; made if it isn't there. Without a server, artifacts need a place of their own.

    Raises:
        FranklinError: it was deleted in MLflow.

    """
    try:
        where = (artifacts / name).as_uri() if artifacts else None
        kind = {"mlflow.experimentKind": "custom_model_development"}  # the UI shows what belongs to training models
        return str(client.create_experiment(name, artifact_location=where, tags=kind))
    except MlflowException:
        found = client.get_experiment_by_name(name)
        if found is None:
            raise
    if found.lifecycle_stage != LifecycleStage.ACTIVE:
        way_out = f"bring it back with `mlflow experiments restore -x {found.experiment_id}`"
        raise FranklinError(f"the MLflow experiment '{name}' was deleted: {way_out}")
    return str(found.experiment_id)
