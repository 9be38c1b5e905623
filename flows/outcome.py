"""What `franklin select --json` prints: the outcome of a contest."""

import shlex

from conf.exchange import Estimate
from conf.selecting import FINDINGS, REPORT, Findings, Standing
from conf.strict import Strict
from flows.context import Context
from flows.standings import hidden, shown
from models.candidates.report.headline import headline
from models.candidates.report.leaderboard import failure
from models.candidates.report.view import View


class Place(Strict):
    """How a candidate has done; null: it did not get so far."""

    candidate: str
    mean: float | None
    error: float | None
    test: dict[str, Estimate]
    rows: int
    share: float
    seconds: float | None
    processor_seconds: float | None
    peak_memory_bytes: int | None
    size_bytes: int | None
    latency_p50_seconds: float | None
    latency_p99_seconds: float | None
    failure: str | None


class Outcome(Strict):
    """What came of a contest; `candidate A` and so on stand for names that are hidden."""

    run_id: str
    run_folder: str
    experiment: str
    then: str
    task: str
    metric: str
    rows: dict[str, int]
    engine: str
    blind: bool
    recommendation: str
    best: str
    why: str
    given_up: str
    intervals_by: str
    standings: list[Place]
    report: str
    findings: str
    seconds: dict[str, float]
    processor_seconds: dict[str, float]
    peak_memory_bytes: dict[str, int]
    cached: list[str]


def outcome(run: Context, findings: Findings) -> Outcome:
    """Gather what a contest has brought."""
    folder, said, view = run.folder / "contest", findings.recommendation, View(findings)
    head = headline(view)  # without names, as long as these are hidden
    return Outcome(
        run_id=run.tracker.run_id,
        run_folder=str(run.folder),
        experiment=findings.experiment,
        then="franklin choose LETTER" if hidden(findings) else then(findings),
        task=findings.task,
        metric=findings.metric,
        rows=findings.rows,
        engine=findings.engine,
        blind=hidden(findings),
        recommendation=shown(findings, said.candidate),
        best=shown(findings, said.best),
        why=head.why,
        given_up=head.given_up,
        intervals_by=findings.intervals_by,
        standings=[_place(view, each) for each in (*view.ranked, *view.fallen)],
        report=str(folder / REPORT),
        findings=str(folder / FINDINGS),
        seconds={name: round(cost.seconds, 3) for name, cost in run.costs.items()},
        processor_seconds={name: round(cost.processor_seconds, 3) for name, cost in run.costs.items()},
        peak_memory_bytes={name: cost.peak_memory_bytes for name, cost in run.costs.items()},
        cached=run.reused,
    )


def then(findings: Findings) -> str:
    """The command that takes what was recommended or chosen."""
    return f"franklin run {shlex.quote(findings.said or findings.experiment)} model=selected"


def _place(view: View, standing: Standing) -> Place:
    latency = standing.latency
    return Place(
        candidate=shown(view.findings, standing.candidate),
        mean=standing.mean,
        error=standing.error,
        test=standing.test,
        rows=standing.rows,
        share=standing.share,
        seconds=standing.seconds,
        processor_seconds=standing.processor_seconds,
        peak_memory_bytes=standing.peak_memory_bytes,
        size_bytes=standing.size_bytes,
        latency_p50_seconds=latency and latency.one_p50_seconds,
        latency_p99_seconds=latency and latency.one_p99_seconds,
        failure=failure(view, standing) or None,
    )
