"""What every tracked flow begins with: a folder, a run in MLflow, each told of the other, and an ear for cancelling."""

import getpass
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from uuid import UUID

from mlflow.utils.mlflow_tags import MLFLOW_GIT_COMMIT, MLFLOW_SOURCE_NAME, MLFLOW_USER
from prefect import get_run_logger
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import ObjectNotFound
from prefect.runtime import deployment, flow_run
from prefect.states import Crashed

from conf.compose import dump
from conf.schema import Settings
from flows.cancel import cancellable
from flows.commit import commit
from flows.context import Context
from flows.display import Log, display
from flows.tracking import Tracker, tracked


@contextmanager
def opened(settings: Settings, name: str, tags: Mapping[str, str]) -> Iterator[Context]:
    """Give the current flow run its folder and its MLflow run, which is closed as what became of the block.

    Args:
        settings: as asked for.
        name: of the MLflow run.
        tags: of it, beside those that every flow's has.

    Raises:
        FranklinError: the tracking server can't be reached.

    """
    shown_on = display.get() or Log(get_run_logger())
    watched = cancellable(UUID(str(flow_run.id))) if deployment.id is None else nullcontext()  # a worker does it itself
    folder = settings.home / "runs" / str(flow_run.id)
    folder.mkdir(parents=True, exist_ok=True)
    with watched, tracked(settings, folder, name, {**tags, **_tags()}) as tracker:
        _introduce(tracker, settings)
        yield Context(settings, folder, tracker, shown_on)


def _tags() -> dict[str, str]:
    code = commit(Path(__file__).parent)
    tags = {
        "git_commit": code,
        "prefect_flow_run_id": str(flow_run.id),
        "prefect_flow_run": flow_run.name,
        MLFLOW_GIT_COMMIT: code,
        MLFLOW_SOURCE_NAME: "franklin",
        MLFLOW_USER: getpass.getuser(),
    }
    # Only a deployment's server is still there when somebody follows the link.
    return tags | ({"prefect_flow_run_url": flow_run.ui_url} if deployment.id else {})


def _introduce(tracker: Tracker, settings: Settings) -> None:
    """Keep the configuration in MLflow as it was asked for, and the MLflow run's id in Prefect."""
    tracker.client.log_text(tracker.run_id, dump(settings), "config.yaml")
    with get_client(sync_client=True) as prefect:
        prefect.update_flow_run(UUID(str(flow_run.id)), tags=[*flow_run.tags, f"mlflow:{tracker.run_id}"])
        for died in tracker.abandoned:
            _say_crashed(prefect, UUID(died))


def _say_crashed(prefect: SyncPrefectClient, flow_run_id: UUID) -> None:
    """Close in Prefect, too, what a killed process left running; another server may never have heard of it."""
    try:
        state = prefect.read_flow_run(flow_run_id).state
    except ObjectNotFound:
        return
    if state is not None and state.is_running():
        prefect.set_flow_run_state(flow_run_id, Crashed(message="its process was killed"), force=True)
