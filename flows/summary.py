"""The run summary: what `--json` prints, what the table shows, what MLflow keeps as summary.json."""

from conf.exchange import Estimate, EvaluateResult, RegisterResult
from conf.manifest import read_manifest
from conf.strict import Strict
from flows.context import Context


class Summary(Strict):
    """What came of one run."""

    run_id: str
    run_folder: str
    experiment: str
    strategy: str
    world_size: int
    rows: dict[str, int]
    metrics: dict[str, dict[str, Estimate]]
    baseline: dict[str, dict[str, float]]
    intervals_by: dict[str, str]
    model_uri: str
    alias: str
    decision: str
    seconds: dict[str, float]
    processor_seconds: dict[str, float]
    peak_memory_bytes: dict[str, int]
    cached: list[str]


def summarise(
    run: Context, feature_set: str, world_size: int, judged: EvaluateResult, registered: RegisterResult
) -> Summary:
    """Gather what the stages brought."""
    manifest = read_manifest(feature_set)
    rows: dict[str, int] = {name: split.rows for name, split in manifest.splits.items()}
    lost = {"quarantined": sum(manifest.quarantined.values()), "set_aside": sum(manifest.set_aside.values())}
    return Summary(
        run_id=run.tracker.run_id,
        run_folder=str(run.folder),
        experiment=run.settings.experiment,
        strategy=run.settings.strategy.name,
        world_size=world_size,
        rows=rows | lost,
        metrics=judged.metrics,
        baseline=judged.baseline,
        intervals_by=judged.intervals_by,
        model_uri=f"models:/{run.settings.experiment}/{registered.version}",
        alias=registered.alias,
        decision=registered.decision,
        seconds={name: round(cost.seconds, 3) for name, cost in run.costs.items()},
        processor_seconds={name: round(cost.processor_seconds, 3) for name, cost in run.costs.items()},
        peak_memory_bytes={name: cost.peak_memory_bytes for name, cost in run.costs.items()},
        cached=run.reused,
    )
