"""The main flow: prepare, tune, train, evaluate, register."""

import getpass
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from uuid import UUID

from mlflow.utils.mlflow_tags import MLFLOW_GIT_COMMIT, MLFLOW_SOURCE_NAME, MLFLOW_USER
from prefect import flow, get_run_logger
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import ObjectNotFound
from prefect.runtime import deployment, flow_run
from prefect.states import Crashed

from conf.checkpoints import check_resume
from conf.compose import compose, dump
from conf.schema import Settings, TunerName
from conf.strategies import StrategyName
from conf.strict import Strict
from flows.cancel import cancellable, say_cancelled
from flows.commit import commit
from flows.context import Context
from flows.display import Display, Log, display
from flows.join import wanting
from flows.stages import evaluate, plan, prepare, register, train
from flows.summary import Summary, summarise
from flows.tracking import Tracker, tracked
from flows.tune import tune
from models.parallel.room import ranks_of


def run_name() -> str:
    """Name of the current flow run; a table of one's own is called as its YAML."""
    return f"{Path(flow_run.parameters['experiment']).stem}-{flow_run.parameters['strategy']}"


@flow(name="pipeline", flow_run_name=run_name, validate_parameters=True, on_crashed=[say_cancelled])
def pipeline(
    experiment: str,
    strategy: StrategyName = "single",
    tuner: TunerName = "none",
    overrides: Sequence[str] = (),
) -> dict[str, Any]:
    """Prepare data in Spark, tune and train a network, judge it, register it; everything lands in MLflow.

    Args:
        experiment: a name under conf/experiment, or the path of a YAML file that describes a table of your own.
        strategy: the parallelism of training.
        tuner: the search over configurations before it.
        overrides: further `group=choice` and `key=value`, such as `trainer.max_epochs=3`.

    """
    settings = compose(experiment, [f"strategy={strategy}", f"tuner={tuner}", *overrides])
    shown_on = display.get() or Log(get_run_logger())
    watched = cancellable(UUID(str(flow_run.id))) if deployment.id is None else nullcontext()  # a worker does it itself
    with watched:
        return run_stages(settings, shown_on).model_dump(mode="json")


def run_stages(settings: Settings, shown_on: Display) -> Summary:
    """Run every stage inside the current flow run.

    Raises:
        FranklinError: a mistake in the settings or the data; the MLflow run is FAILED.
        EngineCrashError: an engine died, more often than it may be retried; the MLflow run is FAILED.

    """
    folder = settings.home / "runs" / str(flow_run.id)
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{settings.experiment}-{settings.strategy.name}"
    with tracked(settings, folder, name, _tags(settings)) as tracker:
        _introduce(tracker, settings)
        ranks = ranks_of(settings)  # a mistake is told before anything starts
        check_resume(settings)
        run = Context(settings, folder, tracker, shown_on)
        for line in wanting(settings.launcher):
            shown_on.say(line)
        feature_set = prepare(run)
        if settings.strategy.name == "auto":
            run.settings = settings = plan(run, feature_set, settings)
            ranks = ranks_of(settings)
        best = settings if settings.tuner.name == "none" else tune(run, feature_set)
        _describe(tracker, best, ranks)
        trained = train.with_options(retries=settings.launcher.retries)(run, feature_set, best)
        judged = evaluate(run, feature_set, trained, best)
        registered = register(run, feature_set, trained, best)
        summary = summarise(run, feature_set, ranks, judged, registered)
        tracker.client.log_text(tracker.run_id, summary.model_dump_json(indent=2), "summary.json")
    return summary


def _tags(settings: Settings) -> dict[str, str]:
    code = commit(Path(__file__).parent)
    tags = {
        "strategy": settings.strategy.name,
        "tuner": settings.tuner.name,
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


def _describe(tracker: Tracker, settings: Settings, ranks: int) -> None:
    """Log the few parameters that people compare by, as training gets them, those that tuning chose included."""
    chosen = {
        "data": settings.data.name,
        "strategy": settings.strategy.name,
        "world_size": ranks,
        "tuner": settings.tuner.name,
        "seed": settings.seed,
        "batch_size": settings.feed.batch_size,
        "max_epochs": settings.trainer.max_epochs,
        "precision": settings.trainer.precision,
        **_flat("model", settings.model),
        **_flat("optimizer", settings.optimizer),
    }
    tracker.record(params=chosen)
    tracker.client.log_text(tracker.run_id, dump(settings), "config_trained.yaml")


def _flat(group: str, choice: Strict) -> dict[str, object]:
    """The choice's name under the group's, its other values under their own names."""
    values = choice.model_dump()
    return {group: values.pop("name"), **values}
