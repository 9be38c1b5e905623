"""A contest in MLflow: a run for each candidate below the contest's, and what the contest has left."""

import time
from collections.abc import Iterator
from csv import DictWriter
from io import StringIO
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunStatus, RunTag
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME, MLFLOW_RUN_NOTE

from conf.contests import CandidateName
from conf.selecting import FINDINGS, JOURNAL, REPORT, Findings, Standing
from models.candidates.report.headline import headline
from models.candidates.report.leaderboard import failure
from models.candidates.report.view import View

TABLE, FIGURES = "leaderboard.csv", "figures"  # artifacts
EVIDENCE = f"The evidence: `{REPORT}` among the artifacts."  # the end of a description
ENTRANT = "entrant"  # a tag: the candidate's name, or the letter that hides it


def hidden(findings: Findings) -> bool:
    """Whether names are still to be hidden."""
    return bool(findings.labels) and findings.choice is None


def shown(findings: Findings, name: CandidateName) -> str:
    """The candidate's name, or while that is hidden, its letter."""
    return f"candidate {findings.labels[name]}" if hidden(findings) else name


def record(client: MlflowClient, run_id: str, findings: Findings, folder: Path) -> None:
    """Write a run for each candidate below `run_id`, or write it again; keep report, findings and journal in `run_id`.

    While names are hidden, only the report is kept, which hides them too.
    """
    experiment = client.get_run(run_id).info.experiment_id
    wanted = f"tags.{MLFLOW_PARENT_RUN_ID} = '{run_id}'"
    there = {run.data.tags.get(ENTRANT): run.info.run_id for run in client.search_runs([experiment], wanted)}
    for standing in sorted(findings.standings, key=lambda each: findings.labels.get(each.candidate, "")):
        name = shown(findings, standing.candidate)
        before = there.get(name) or there.get(f"candidate {findings.labels.get(standing.candidate)}")
        tags = {MLFLOW_PARENT_RUN_ID: run_id, ENTRANT: name}
        below = before or client.create_run(experiment, run_name=name, tags=tags).info.run_id
        _write(client, below, findings, standing)
        status = RunStatus.FAILED if standing.failure else RunStatus.FINISHED
        client.set_terminated(below, RunStatus.to_string(status))
    for file in (REPORT,) if hidden(findings) else (REPORT, FINDINGS, JOURNAL):
        client.log_artifact(run_id, str(folder / file))
    client.log_text(run_id, _table(findings), TABLE)
    if not hidden(findings):  # some are drawn of one candidate
        for figure in sorted(folder.glob("**/*.svg")):
            client.log_artifact(run_id, str(figure), FIGURES)
    _summarise(client, run_id, findings)


def _write(client: MlflowClient, run_id: str, findings: Findings, standing: Standing) -> None:
    now = int(time.time() * 1000)
    name, said = shown(findings, standing.candidate), findings.recommendation
    tags = {ENTRANT: name, MLFLOW_RUN_NAME: name}
    params: dict[str, object] = {}
    if not hidden(findings):  # settings and families tell who it is
        weights = {f"weight_{name}": weight for name, weight in standing.members.items()}
        params = {"candidate": standing.candidate, "family": standing.family, **standing.values, **weights}
    if findings.choice is not None:
        tags["chosen"] = str(standing.candidate == findings.choice.candidate).lower()
    tags["recommended"] = str(standing.candidate == said.candidate).lower()
    tags["best"] = str(standing.candidate == said.best).lower()
    if standing.failure:
        tags["failure"] = failure(View(findings), standing)
    client.log_batch(
        run_id,
        metrics=[
            *(Metric(key, value, now, 0) for key, value in _numbers(findings, standing)),
            # Its step is training rows, so MLflow draws learning curves, of one and of several side by side.
            *(
                Metric(f"curve_{findings.metric}", value, now, rows)
                for rows, value in zip(standing.curve.rows, standing.curve.values, strict=True)
            ),
        ],
        params=[Param(key, str(value)) for key, value in params.items()],
        tags=[RunTag(key, value) for key, value in tags.items()],
    )


def _numbers(findings: Findings, standing: Standing) -> Iterator[tuple[str, float]]:
    """Metrics of a candidate as they are called in MLflow; what is not known is left out."""
    fold, latency = f"fold_{findings.metric}", standing.latency
    for name, estimate in standing.test.items():
        yield f"test_{name}", estimate.value
        yield f"test_{name}_low", estimate.low
        yield f"test_{name}_high", estimate.high
    found = {
        fold: standing.mean,
        f"{fold}_error": standing.error,
        f"{fold}_low": standing.low,
        f"{fold}_high": standing.high,
        "behind": standing.behind,
        "behind_error": standing.behind_error,
        "rows": standing.rows or None,
        "seconds": standing.seconds,
        "processor_seconds": standing.processor_seconds,
        "peak_memory_bytes": standing.peak_memory_bytes,
        "size_bytes": standing.size_bytes,
        **(
            {}
            if latency is None
            else latency.model_dump(exclude={"batch_rows", "one_predictions", "batch_predictions"})
        ),
    }
    yield from ((key, float(value)) for key, value in found.items() if value is not None)


def _table(findings: Findings) -> str:
    """The leaderboard as CSV, best first, which MLflow shows as a table; what is not known is empty."""
    numbers = {shown(findings, each.candidate): dict(_numbers(findings, each)) for each in View(findings).ranked}
    columns = list(dict.fromkeys(key for found in numbers.values() for key in found))
    written = StringIO()
    table = DictWriter(written, ["candidate", *columns])
    table.writeheader()
    table.writerows({"candidate": name, **found} for name, found in numbers.items())
    return written.getvalue()


def _summarise(client: MlflowClient, run_id: str, findings: Findings) -> None:
    """Say in the contest's own run what was recommended and why, with its figures: so contests can be compared."""
    now, said, contest = int(time.time() * 1000), findings.recommendation, findings.contest
    head, known = headline(View(findings)), client.get_run(run_id).data
    tags = {
        "recommended": shown(findings, said.candidate),
        "best": shown(findings, said.best),
        "blind": str(bool(findings.labels)).lower(),
    }
    if known.tags.get(MLFLOW_RUN_NOTE, EVIDENCE).endswith(EVIDENCE):  # else a person has written one
        told = [head.why, f"Given up: {head.given_up}", head.choice, EVIDENCE]
        tags[MLFLOW_RUN_NOTE] = "\n\n".join(part for part in told if part)
    if findings.choice is not None:
        tags |= {"chosen": findings.choice.candidate, "chosen_at": findings.choice.at}
    params = {
        "engine": findings.engine,
        "metric": findings.metric,
        "budget_seconds": contest.budget_seconds,
        "folds": contest.folds,
        "seed": findings.seed,
    }
    recommended = next(each for each in findings.standings if each.candidate == said.candidate)
    client.log_batch(
        run_id,
        metrics=[Metric(key, value, now, 0) for key, value in _numbers(findings, recommended)],
        params=[Param(key, str(value)) for key, value in params.items() if key not in known.params],
        tags=[RunTag(key, value) for key, value in tags.items()],
    )
