"""The stages of the pipeline, each a Prefect task around engines that run in processes of their own."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from conf.exchange import EvaluateResult, FitResult, PlanResult, PrepareResult, RegisterResult, Track, TrainResult
from conf.fault import Fault
from conf.manifest import Manifest, read_manifest
from conf.schema import Settings
from flows.context import Context, Stage
from flows.engines import (
    EVALUATE,
    FIT,
    PLAN,
    PREPARE,
    REGISTER,
    launching,
    to_evaluate,
    to_fit,
    to_plan,
    to_prepare,
    to_register,
    to_train,
)
from flows.plans import as_text, candidates, choose, judge, mebibytes, table, unsuited
from flows.processes import EngineCrashError, Progress
from flows.resume import goes_on
from models.parallel.room import ranks_of
from spark_jobs.fingerprint import fingerprint, pinned

REASONS_SHOWN = 3


def crashed(_task: Any, _run: Any, state: Any) -> bool:
    """Whether a task ended in a crash, which a retry may mend; a person's mistake it can't."""
    return isinstance(state.result(raise_on_failure=False), EngineCrashError)


@task(name="prepare", cache_policy=NO_CACHE)
def prepare(run: Context) -> str:
    """Make the feature set with Spark, or find the one that the same inputs, configuration and code have made."""
    settings = run.settings
    with run.stage("prepare") as stage:
        settings = settings.model_copy(update={"data": pinned(settings.data, run.folder.name)})
        identity = fingerprint(settings.data)
        folder = settings.feature_set(identity)
        if (folder / "manifest.json").exists():
            run.reused.append("prepare")
        else:
            request = to_prepare(settings, run.folder, str(folder), identity)
            stage.run(PREPARE, request, PrepareResult)
        manifest = read_manifest(str(folder))
        if settings.data.checks.freshness:
            settings.data.checks.freshness.judge(manifest.newest)  # of a set that is reused, days have passed
        _record_feature_set(run, stage, manifest, str(folder))
    for line in told(manifest, folder):
        run.display.say(line)
    return str(folder)


@task(name="plan", cache_policy=NO_CACHE)
def plan(run: Context, feature_set: str, settings: Settings) -> Settings:
    """Choose a strategy by what each candidate would take."""
    with run.stage("plan") as stage:
        request = to_plan(settings, run.folder, feature_set, candidates(settings))
        result = stage.run(PLAN, request, PlanResult)
        judged, others = judge(settings, result), unsuited(settings, result)
        shown = as_text(table(judged, others, auto=True))
        run.tracker.client.log_text(run.tracker.run_id, shown, "plan.txt")
        settings = choose(settings, judged, others)
        stage.note = f"strategy {settings.strategy.name}, {mebibytes(judged[0].plan.memory_bytes)} a rank"
    run.display.say(shown)
    return settings


@task(name="train", cache_policy=NO_CACHE, retry_delay_seconds=0, retry_condition_fn=crashed)
def train(run: Context, feature_set: str, settings: Settings) -> TrainResult:
    """Train the network; a retry goes on from the last checkpoint."""
    with run.stage("train") as stage, goes_on(run, run.folder / "train"):
        result = launch(stage, run.tracker.track, feature_set, settings, run.folder / "train")
        resumed = f", resumed at step {result.resumed_from_step:,}" if result.resumed_from_step else ""
        stage.note = (
            f"{result.epochs} epoch{'s' * (result.epochs > 1)}, best {result.best_epoch + 1}, "
            f"validation loss {result.validation_loss:.4f}, {result.rows_per_second:,.0f} rows/s{resumed}"
        )
        shown = {name: result.metrics[name] for name in ("rows_per_second", "data_wait_share")}
        run.tracker.record(shown | {"epochs": result.epochs, "restarts": result.restarts})
    for line in slowed(settings.fault, result.metrics):
        run.display.say(line)
    return result


def slowed(fault: Fault, metrics: Mapping[str, float]) -> list[str]:
    """A line for a person who slowed a rank on purpose: what became of it, over the last epoch."""
    if fault.slow_rank is None or fault.slow_factor is None:
        return []
    line = f"  fault: rank {fault.slow_rank} took {fault.slow_factor:g} times as long on purpose"
    if "idle_share" not in metrics:
        return [line]
    share = metrics[f"rank_{fault.slow_rank}_rows_share"]
    return [f"{line}; it had {share:.0%} of the rows, and ranks waited {metrics['idle_share']:.0%} of their time"]


def launch(
    stage: Stage,
    track: Track,
    feature_set: str,
    settings: Settings,
    folder: Path,
    *,
    watch: Callable[[Progress], None] | None = None,
) -> TrainResult:
    """Train once, in `folder`, over all ranks of the strategy, writing into the MLflow run of `track`."""
    ranks = ranks_of(settings)
    command, request = launching(settings, to_train(settings, folder, feature_set, ranks, track))
    return stage.run(command, request, TrainResult, watch)


@task(name="train", cache_policy=NO_CACHE, retry_delay_seconds=0, retry_condition_fn=crashed)
def fit(run: Context, feature_set: str, settings: Settings) -> FitResult:
    """Fit the selected candidate, which is no network; a retry begins anew."""
    with run.stage("train") as stage:
        result = stage.run(FIT, to_fit(settings, run.folder / "train", feature_set), FitResult)
        stage.note = f"{getattr(settings.model, 'candidate', '')}, fitted on {result.rows:,} rows"
    return result


@task(name="evaluate", cache_policy=NO_CACHE)
def evaluate(run: Context, feature_set: str, weights: Path, settings: Settings) -> EvaluateResult:
    """Judge what was trained on rows that it has not seen, next to the trivial predictor."""
    with run.stage("evaluate") as stage:
        request = to_evaluate(settings, run.folder, feature_set, weights, run.tracker.quick_track)
        result = stage.run(EVALUATE, request, EvaluateResult)
        stage.note = ", ".join(f"{name} {e.value:.4f}" for name, e in list(result.metrics["test"].items())[:3])
    return result


@task(name="register", cache_policy=NO_CACHE)
def register(run: Context, feature_set: str, weights: Path, settings: Settings) -> RegisterResult:
    """Log the model as a new version and decide whether it becomes champion."""
    with run.stage("register") as stage:
        request = to_register(settings, run.folder, feature_set, weights, run.tracker.quick_track)
        result = stage.run(REGISTER, request, RegisterResult)
        stage.note = f"version {result.version} is {result.alias}"
    return result


def _record_feature_set(run: Context, stage: Stage, manifest: Manifest, folder: str) -> None:
    rows = {f"rows_{name}": split.rows for name, split in manifest.splits.items()}
    lost = {"rows_set_aside": sum(manifest.set_aside.values()), "rows_quarantined": sum(manifest.quarantined.values())}
    run.tracker.record({**rows, **lost}, tags={"fingerprint": manifest.fingerprint})
    run.tracker.record_input(manifest, folder)
    run.tracker.record_profile(Path(folder))
    columns = f"{len(manifest.columns)} column{'s' * (len(manifest.columns) > 1)}"
    stage.note = f"{sum(rows.values()):,} rows in {columns}, {lost['rows_set_aside']:,} set aside"
    if "prepare" in run.reused:
        stage.note = f"reused: {stage.note}"


def told(manifest: Manifest, folder: Path) -> list[str]:
    """Lines for a person: what was inferred of a table, and which rows were quarantined."""
    return [*_inferred(manifest), *_quarantined(manifest, folder)]


def _quarantined(manifest: Manifest, folder: Path) -> list[str]:
    """Why rows were quarantined, the most frequent reasons first, and where they are."""
    if not manifest.quarantined:
        return []
    reasons = sorted(manifest.quarantined.items(), key=lambda each: -each[1])
    listed = ", ".join(f"{rows:,} {reason}" for reason, rows in reasons[:REASONS_SHOWN])
    others = len(reasons) - REASONS_SHOWN
    more = f" and {others} more reason{'s' if others > 1 else ''}" if others > 0 else ""
    return [f"  quarantined: {listed}{more}; the rows are in {folder / 'quarantine'}"]


def _inferred(manifest: Manifest) -> list[str]:
    """What was not said but inferred, one line for each kind."""
    names: dict[str, list[str]] = {}
    for name, guess in manifest.inferred.items():
        if name != "task":
            kind, _, reason = guess.partition(": ")
            names.setdefault(kind, []).append(f"{name} ({reason})" if reason else name)
    task = [f"  task inferred: {manifest.inferred['task']}"] if "task" in manifest.inferred else []
    return task + [
        f"  {kind}{'' if kind == 'left out' else ' inferred'}: {', '.join(who)}" for kind, who in names.items()
    ]
