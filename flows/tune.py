"""The tuning stage: a study asks for a configuration, a launched training run answers."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from conf.compose import replace
from conf.errors import FranklinError
from conf.schema import Settings
from flows.context import Context, Stage
from flows.processes import EngineCrashError, Progress
from flows.stages import launch
from models.search.study import Trial, open_study


@task(name="tune", cache_policy=NO_CACHE)
def tune(run: Context, feature_set: str) -> Settings:
    """Search for better settings; those of the best trial go to training, which starts anew with all its epochs."""
    settings = run.settings
    with run.stage("tune") as stage:
        study = open_study(settings.tuner, "minimize", settings.seed, run.folder / "tune")
        while (trial := study.ask()) is not None:
            study.tell(trial.number, _objective(stage, feature_set, settings, trial, study.size))
        best = study.best()
        importances = {f"importance.{key}": share for key, share in study.importances().items()}
        stage.tracker.record({"best_validation_loss": best.objective or 0.0, **importances}, params=best.values)
        stage.note = f"{len(study.trials)} trials, best {_text(best)}, validation loss {best.objective:.4f}"
    return replace(settings, dict(best.values))


def _objective(stage: Stage, feature_set: str, settings: Settings, trial: Trial, trials: int) -> float | None:
    """Validation loss of a trial; None if its training failed, which is a result too: the search goes on."""

    def watch(progress: Progress) -> None:
        stage.show(Progress(done=trial.number, total=trials, unit="trials", note=f"{_text(trial)}: {progress.note}"))

    values = {"trainer.max_epochs": settings.tuner.max_epochs, **trial.values}
    chosen = replace(settings, values)
    folder = stage.context.folder / "tune" / f"trial-{trial.number}"
    try:
        with stage.tracker.nested(f"trial-{trial.number}", {"trial": str(trial.number)}) as below:
            below.record(params=trial.values)
            result = launch(stage, below.track, feature_set, chosen, folder, watch=watch)
            below.record({"validation_loss_best": result.validation_loss})
    except (FranklinError, EngineCrashError) as error:
        stage.context.display.say(f"trial {trial.number} failed: {error}")
        return None
    return result.validation_loss


def _text(trial: Trial) -> str:
    values = (
        f"{key.rpartition('.')[2]} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in trial.values.items()
    )
    return ", ".join(values)
