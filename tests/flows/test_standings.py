"""A contest in MLflow: written twice it is the same, and what a person has written stays."""

from pathlib import Path

from mlflow import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

from conf.selecting import FINDINGS, JOURNAL, REPORT
from flows.standings import record
from tests.models.candidates.findings import binary
from tests.stores import new_store


def test_a_contest_that_is_written_again_keeps_a_persons_description(tmp_path: Path) -> None:
    client, findings = MlflowClient(new_store(tmp_path)), binary()
    for name in (REPORT, FINDINGS, JOURNAL):
        (tmp_path / name).write_text("{}")
    experiment = client.create_experiment("contest", artifact_location=(tmp_path / "artifacts").as_uri())
    run_id = client.create_run(experiment).info.run_id
    record(client, run_id, findings, tmp_path)
    told = client.get_run(run_id).data
    assert told.tags[MLFLOW_RUN_NOTE].startswith(findings.recommendation.why)
    assert told.params["folds"] == str(findings.contest.folds)
    changed = findings.contest.model_copy(update={"budget_seconds": 1 + findings.contest.budget_seconds})
    client.set_tag(run_id, MLFLOW_RUN_NOTE, "We take B.")
    record(client, run_id, findings.model_copy(update={"contest": changed}), tmp_path)
    again = client.get_run(run_id).data
    assert (again.tags[MLFLOW_RUN_NOTE], again.params) == ("We take B.", told.params)
    assert again.metrics == told.metrics
