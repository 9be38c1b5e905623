"""The main flow: prepare, tune, train, evaluate, register."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from conf.checkpoints import check_resume
from conf.compose import dump
from conf.networks import Selected
from conf.schema import Settings, TunerName
from conf.strategies import StrategyName
from conf.strict import Strict
from flows.cancel import say_cancelled
from flows.join import wanting
from flows.opening import opened
from flows.selection import idle, settled
from flows.stages import evaluate, fit, plan, prepare, register, train
from flows.summary import Summary, summarise
from flows.tracking import Tracker
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
    said = [f"strategy={strategy}", f"tuner={tuner}", *overrides]
    settings = settled(experiment, said, run=str(flow_run.id))  # tried again, it takes the same candidate
    return run_stages(settings, idle(settings, overrides)).model_dump(mode="json")


def run_stages(settings: Settings, told: Sequence[str] = ()) -> Summary:
    """Run every stage inside the current flow run, with some lines for a person before them.

    Raises:
        FranklinError: a mistake in the settings or the data; the MLflow run is FAILED.
        EngineCrashError: an engine died, more often than it may be retried; the MLflow run is FAILED.

    """
    name = settings.strategy.name
    with opened(settings, f"{settings.experiment}-{name}", {"strategy": name, "tuner": settings.tuner.name}) as run:
        ranks = ranks_of(settings)  # a mistake is told before anything starts
        check_resume(settings)
        for line in (*told, *wanting(settings.launcher)):
            run.display.say(line)
        feature_set = prepare(run)
        if settings.strategy.name == "auto":
            run.settings = settings = plan(run, feature_set, settings)
            ranks = ranks_of(settings)
        best = settings if settings.tuner.name == "none" else tune(run, feature_set)
        _describe(run.tracker, best, ranks)
        learn = fit if isinstance(best.model, Selected) else train
        weights = learn.with_options(retries=settings.launcher.retries)(run, feature_set, best).weights
        judged = evaluate(run, feature_set, weights, best)
        registered = register(run, feature_set, weights, best)
        summary = summarise(run, feature_set, ranks, judged, registered)
        run.tracker.client.log_text(run.tracker.run_id, summary.model_dump_json(indent=2), "summary.json")
    return summary


def _describe(tracker: Tracker, settings: Settings, ranks: int) -> None:
    """Log the few parameters that people compare by, as training gets them, those that tuning chose included."""
    chosen = {
        "data": settings.data.name,
        "strategy": settings.strategy.name,
        "world_size": ranks,
        "tuner": settings.tuner.name,
        "seed": settings.seed,
        **_flat("model", settings.model),
    }
    if isinstance(settings.model, Selected):
        chosen["members"] = {each.candidate: each.weight for each in settings.model.members}  # the rest is in the YAML
    else:
        chosen |= {
            "batch_size": settings.feed.batch_size,
            "max_epochs": settings.trainer.max_epochs,
            "precision": settings.trainer.precision,
            **_flat("optimizer", settings.optimizer),
        }
    tracker.record(params=chosen)
    tracker.client.log_text(tracker.run_id, dump(settings), "config_trained.yaml")


def _flat(group: str, choice: Strict) -> dict[str, object]:
    """The choice's name under the group's, its other values under their own names."""
    values = choice.model_dump()
    return {group: values.pop("name"), **values}
