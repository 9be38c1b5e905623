"""The flow `select`: prepare, and a contest between candidates."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run
from pydantic import PositiveInt

from conf.contests import CandidateName, Engine
from conf.manifest import read_manifest
from conf.schema import Settings
from conf.selecting import ContestResult, Findings, UnlabelledResult
from flows.cancel import say_cancelled
from flows.contestants import check_suits, contest_settings, networks, sized, spelt, to_contest, to_look
from flows.context import Context, Stage
from flows.engines import CONTEST
from flows.opening import opened
from flows.outcome import outcome
from flows.processes import Progress
from flows.selection import Selection, keep, learning, learns, taken
from flows.stages import crashed, prepare
from flows.standings import hidden, record, shown
from models.candidates.reading import flattered


def run_name() -> str:
    """Name of the current flow run; a table of one's own is called as its YAML."""
    return f"{Path(flow_run.parameters['experiment']).stem}-select"


@flow(name="select", flow_run_name=run_name, validate_parameters=True, on_crashed=[say_cancelled])
def select(
    experiment: str,
    budget_seconds: PositiveInt | None = None,
    engine: Engine | None = None,
    blind: bool | None = None,
    overrides: Sequence[str] = (),
) -> dict[str, Any]:
    """Compare candidates from the simplest up on the same rows, and say which to take; everything lands in MLflow.

    Args:
        experiment: a name under conf/experiment, or the path of a YAML file that describes a table of your own.
        budget_seconds: for all fits together; empty: as configured.
        engine: `local`: one machine's libraries; `spark`: MLlib; `auto`: by size against memory; empty: as configured.
        blind: whether names are hidden until `franklin choose`; empty: as configured.
        overrides: further `group=choice` and `key=value`, such as `contest.folds=3`.

    """
    short = {"budget_seconds": budget_seconds, "engine": engine, "blind": blind}
    said = [f"{key}={str(value).lower()}" for key, value in short.items() if value is not None]
    words = spelt([*overrides, *said])
    settings = contest_settings(experiment, words)
    entrants, absent = networks(experiment, words, settings)  # a mistake is told before anything starts
    with opened(settings, f"{settings.experiment}-select", {"contest": settings.contest.name}) as run:
        feature_set = prepare(run)
        if settings.data.task is None:  # what was inferred has a say in what suits, and in how networks are trained
            task = read_manifest(feature_set).task
            check_suits(settings.contest, task)
            entrants, absent = networks(experiment, words, settings, task)
        seek = look.with_options(retries=settings.launcher.retries)
        looked = seek(run, feature_set) if settings.contest.segments or settings.contest.rules else None
        compare = contest.with_options(retries=settings.launcher.retries)
        findings = compare(run, feature_set, entrants, learning(words), said=experiment, looked=looked, absent=absent)
        return outcome(run, findings).model_dump(mode="json")


@task(name="look", cache_policy=NO_CACHE, retry_delay_seconds=0, retry_condition_fn=crashed)
def look(run: Context, feature_set: str) -> UnlabelledResult:
    """Group values of columns and seek rules, without a model of the label."""
    folder = run.folder / "contest"
    folder.mkdir(parents=True, exist_ok=True)
    with run.stage("look") as stage:
        result = stage.run(*to_look(run.settings, folder, feature_set), UnlabelledResult)
        grouped = len({each.column for each in result.segments})
        stage.note = f"{grouped} column{'s' * (grouped != 1)} in segments, {len(result.rules)} rules"
    return result


@task(name="contest", cache_policy=NO_CACHE, retry_delay_seconds=0, retry_condition_fn=crashed)
def contest(
    run: Context,
    feature_set: str,
    entrants: Mapping[CandidateName, Settings],
    overrides: list[str],
    *,
    said: str,
    looked: UnlabelledResult | None,
    absent: list[str],
) -> Findings:
    """Hold the contest; a retry goes on with the journal of the fits that were done."""
    folder, settings = run.folder / "contest", run.settings
    manifest = read_manifest(feature_set)
    for line in flattered(manifest):
        run.display.say(f"  {line}")
    with run.stage("contest") as stage:
        request = to_contest(settings, folder, feature_set, entrants, said=said, looked=looked, absent=absent)
        result = stage.run(CONTEST, request, ContestResult, _watch(stage, blind=settings.contest.blind))
        findings = Findings.model_validate_json(result.findings.read_text(encoding="utf-8"))
        record(run.tracker.client, run.tracker.run_id, findings, folder)
        recommended = findings.recommendation.candidate
        stage.note = f"{len(findings.standings)} candidates, recommended {shown(findings, recommended)}"
    learned = {name: learns(each) for name, each in entrants.items()}
    known = {"candidate": None, "values": {}} if hidden(findings) else taken(findings, recommended, learned)
    selection = Selection(
        **known,
        learning=learned,
        overrides=overrides,
        sized={name: sized(each, folder, feature_set) for name, each in entrants.items()},
        folder=folder,
        run_id=run.tracker.run_id,
    )
    keep(settings.home, settings.experiment, selection)
    return findings


def _watch(stage: Stage, *, blind: bool) -> Any:
    """Show progress; of a blind contest without the word who is being fitted."""

    def watch(progress: Progress) -> None:
        stage.show(progress.model_copy(update={"note": ""}) if blind else progress)

    return watch
