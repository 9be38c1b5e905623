"""`franklin select`, `franklin choose` and `model=selected` from a person's own table, seen from outside."""

import json
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.entities import Run
from prefect.client.orchestration import get_client

from conf.compose import compose
from conf.selecting import Findings
from flows.selection import kept, settled
from models.candidates.report.naming import reveals
from tests.flights import WITHOUT_PAST
from tests.flows.command import FRANKLIN, complaint, franklin, summary, variables_of
from tests.flows.fixtures import Up
from tests.flows.runs import CONTEST, SELECTED, Done, Runs, named
from tests.flows.test_deployments import api, follow, prefect, start, tracked, working_in

pytestmark = [pytest.mark.e2e, pytest.mark.server, pytest.mark.runs("contest")]
NAMES = ("majority", "logistic_regression", "ridge")
NAMED = re.compile(r"\b(majority|logistic.regression|ridge)\b", re.IGNORECASE)
FIGURES = {"fold_auc", "fold_auc_error", "test_auc", "test_auc_low", "test_auc_high", "seconds", "processor_seconds"}
FIGURES |= {"peak_memory_bytes", "size_bytes", "one_p50_seconds", "one_p99_seconds", "batch_p50_seconds"}


@dataclass(frozen=True)
class Held:
    """A contest, and what was there of it at some time."""

    up: Up
    outcome: dict[str, Any]
    printed: str
    report: str
    findings: Findings
    parent: Run
    children: dict[str, Run]
    artifacts: set[str]

    @classmethod
    def look(cls, up: Up, outcome: dict[str, Any], printed: str) -> "Held":
        """Look now."""
        run = up.client.get_run(outcome["run_id"])
        below = up.client.search_runs([run.info.experiment_id], f"tags.mlflow.parentRunId = '{run.info.run_id}'")
        return cls(
            up=up,
            outcome=outcome,
            printed=printed,
            report=Path(outcome["report"]).read_text(encoding="utf-8"),
            findings=Findings.model_validate_json(Path(outcome["findings"]).read_text(encoding="utf-8")),
            parent=run,
            children={each.info.run_name: each for each in below if "entrant" in each.data.tags},
            artifacts={each.path for each in up.client.list_artifacts(run.info.run_id)},
        )


@pytest.fixture(scope="module")
def blind(runs: Runs, up: Up) -> Held:
    """While names are hidden."""
    done = runs("contest")
    return Held.look(up, summary(done), done.stdout)


@pytest.fixture(scope="module")
def wrong(blind: Held) -> Done:
    """What does not end it."""
    return franklin("choose", "ridge", home=blind.up.home)


@pytest.fixture(scope="module")
def chosen(blind: Held, wrong: Done) -> Held:
    """After the choice of ridge, of the newest contest that waits for one."""
    assert "A, B, C" in complaint(wrong)
    done = franklin("choose", blind.findings.labels["ridge"].lower(), home=blind.up.home)
    assert done.returncode == 0, done.stderr
    return Held.look(blind.up, blind.outcome, done.stdout)


@pytest.fixture(scope="module")
def selected(chosen: Held, breast: Path) -> dict[str, Any]:
    """The run that takes what was chosen."""
    return summary(franklin("run", named(breast, "contest"), "model=selected", "--json", home=chosen.up.home))


def test_the_leaderboard_keeps_to_80_columns_and_names_nobody(blind: Held) -> None:
    lines = blind.printed.splitlines()[:-1]
    table = [line for line in lines if line.strip().startswith("candidate ")]
    assert len(table) == 2 * (1 + len(NAMES))
    assert max(map(len, table)) <= 80
    assert not any("…" in line for line in lines)
    assert not any(reveals(re.sub(r"\S*/\S*", "", line)) for line in lines)  # but for paths
    assert not NAMED.search(blind.printed)
    assert "franklin choose LETTER" in blind.printed


def test_the_outcome_has_all_figures(blind: Held) -> None:
    outcome = blind.outcome
    assert (outcome["experiment"], outcome["task"], outcome["metric"], outcome["blind"]) == (
        "contest", "binary", "auc", True,
    )  # fmt: skip
    assert {each["candidate"] for each in outcome["standings"]} == {"candidate A", "candidate B", "candidate C"}
    means = [each["mean"] for each in outcome["standings"]]
    assert means == sorted(means, reverse=True)
    assert outcome["standings"][0]["candidate"] == outcome["best"]
    for place in outcome["standings"]:
        assert place["test"]["auc"]["low"] <= place["test"]["auc"]["value"] <= place["test"]["auc"]["high"]
        assert min(place[key] for key in ("seconds", "peak_memory_bytes", "size_bytes", "latency_p99_seconds")) > 0
    assert list(outcome["seconds"]) == ["prepare", "contest"]


def test_mlflow_names_nobody_before_the_choice(blind: Held) -> None:
    assert blind.artifacts >= {"report.html", "config.yaml", "leaderboard.csv"}
    assert not blind.artifacts & {"findings.json", "journal.jsonl", "figures"}
    assert blind.children.keys() == {"candidate A", "candidate B", "candidate C"}
    for name, child in blind.children.items():
        assert child.data.metrics.keys() >= FIGURES
        assert child.data.params == {}
        assert child.data.tags["recommended"] == str(name == blind.outcome["recommendation"]).lower()
    assert not NAMED.search(blind.report)
    data, recommended = blind.parent.data, blind.children[blind.outcome["recommendation"]]
    assert data.tags["recommended"] == blind.outcome["recommendation"]
    assert blind.outcome["why"] in data.tags["mlflow.note.content"]
    assert not any(NAMED.search(said) for said in (*data.params.values(), *data.tags.values()))
    assert data.metrics.items() >= {key: recommended.data.metrics[key] for key in FIGURES}.items()
    assert (data.params["metric"], data.params["engine"]) == ("auc", "local")
    assert blind.parent.info.status == "FINISHED"


def test_the_choice_and_its_time_are_recorded_once(chosen: Held) -> None:
    choice = chosen.findings.choice
    assert choice is not None
    assert (choice.candidate, choice.label) == ("ridge", chosen.findings.labels["ridge"])
    assert choice.at.endswith("+00:00")
    other = next(letter for letter in "ABC" if letter != choice.label)
    again = complaint(franklin("choose", other, "--run", chosen.outcome["run_id"], home=chosen.up.home))
    assert f"was made at {choice.at}: {choice.label}, which is ridge" in again
    assert "waits for a choice" in complaint(franklin("choose", "A", home=chosen.up.home))
    assert "Ridge" in chosen.report


def test_the_next_command_calls_the_experiment_as_the_person_did(blind: Held, chosen: Held, breast: Path) -> None:
    assert f"then   franklin run {named(breast, 'contest')} model=selected" in chosen.printed
    assert blind.outcome["then"] == "franklin choose LETTER"


def test_after_the_choice_mlflow_has_names_settings_and_all_files(chosen: Held, blind: Held) -> None:
    assert chosen.artifacts >= {"report.html", "findings.json", "journal.jsonl", "leaderboard.csv", "figures"}
    assert chosen.children.keys() == set(NAMES)
    assert {each.info.run_id for each in chosen.children.values()} == {
        each.info.run_id for each in blind.children.values()
    }
    ridge = chosen.children["ridge"].data
    assert (ridge.params["candidate"], ridge.params["family"], ridge.tags["chosen"]) == ("ridge", "linear", "true")
    assert chosen.parent.data.tags["chosen"] == "ridge"
    assert "ridge was chosen on" in chosen.parent.data.tags["mlflow.note.content"].lower()
    for name in NAMES:
        assert name in chosen.printed


def test_the_choice_is_trained_judged_registered_and_served_as_a_network_is(
    selected: dict[str, Any], chosen: Held, breast: Path
) -> None:
    up = chosen.up
    assert selected["cached"] == ["prepare"]
    assert selected["metrics"]["test"]["auc"]["value"] > 0.95
    assert (selected["model_uri"], selected["alias"]) == ("models:/contest/1", "champion")
    params = up.client.get_run(selected["run_id"]).data.params
    assert (params["model"], params["candidate"]) == ("selected", "ridge")
    assert "learning_rate" not in params
    mlflow.set_tracking_uri(f"sqlite:///{up.home / 'mlflow.db'}")
    model = mlflow.pyfunc.load_model("models:/contest@champion")
    rows = pd.read_csv(breast.parent / "breast.csv")
    answer = model.predict(rows.drop(columns="diagnosis"))
    assert (answer["prediction"] == rows["diagnosis"]).mean() > 0.93
    needed = Path(mlflow.pyfunc.get_model_dependencies("models:/contest@champion")).read_text(encoding="utf-8")
    assert "scikit-learn==" in needed
    assert "lightgbm" not in needed


@pytest.mark.runs(SELECTED)
def test_segments_of_airports_and_rules_about_delays_are_in_the_report(runs: Runs, up: Up) -> None:
    assert runs(SELECTED).returncode == 0  # before which its contest was held
    selection = kept(up.home, "flights_delay")
    assert selection is not None
    findings = Findings.model_validate_json((selection.folder / "findings.json").read_text(encoding="utf-8"))
    assert {each.method for each in findings.segments} == {"kmeans", "hierarchical", "mixture"}
    assert all({"ORD", "LAX"} <= {name for group in each.groups for name in group} for each in findings.segments)
    assert all(rule.lift > 1 for rule in findings.rules)
    assert findings.rules
    assert all(each.lift > 1 and each.support >= 0.1 for each in findings.sets)
    assert findings.sets
    report = (selection.folder / "report.html").read_text(encoding="utf-8")
    assert "Segments of dest" in report
    assert "Frequent item sets" in report


@pytest.mark.soak
@pytest.mark.parametrize("experiment", ["flights_delay", "flights_airtime"])
def test_every_candidate_learns_from_real_flights(experiment: str, up: Up, few_flights: Path) -> None:
    """One flight in 25: whoever is not said to have fallen out is better than the best baseline."""
    few = (f"data.path={few_flights}", WITHOUT_PAST)
    small = ("model.width=32", "contest.folds=2", "contest.sizes=[0.3]", "contest.trials=0", "budget_seconds=250")
    done = summary(franklin("select", experiment, *few, *small, "--json", home=up.home))
    findings = Findings.model_validate_json(Path(done["findings"]).read_text(encoding="utf-8"))
    sign = 1 if findings.higher_is_better else -1
    through = {each.candidate: sign * each.test[findings.metric].value for each in findings.standings if each.test}
    families = {each.candidate: each.family for each in findings.standings}
    best = max(through[name] for name in through if families[name] == "baseline")
    fallen = [each.candidate for each in findings.standings if not each.test]
    assert len(fallen) <= 2, fallen
    assert all(any(note.startswith(f"{name} fell out: ") for note in findings.notes) for name in fallen)
    assert not [name for name in through if families[name] != "baseline" and through[name] <= best], through
    assert {"linear", "tree", "boosting", "network"} <= {families[name] for name in through}


@pytest.mark.soak
def test_columns_that_the_folds_flatter_are_named_before_the_contest_and_in_the_report(up: Up, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    rows = pd.DataFrame({"doctor": generator.integers(0, 40, 400), "age": generator.normal(50, 9, 400)})
    rows["ill"] = np.where(rows["age"] + generator.normal(0, 9, 400) > 50, "yes", "no")
    rows.astype({"doctor": str}).to_csv(tmp_path / "flattered.csv", index=False)
    table = tmp_path / "flattered.yaml"
    columns = "columns: {doctor: {kind: categorical, encoding: target}}"
    table.write_text(f"path: {tmp_path / 'flattered.csv'}\nlabel: ill\n{columns}\n", encoding="utf-8")
    words = ("contest.candidates=[majority,ridge]", "contest.folds=2", "contest.sizes=[0.5]", "contest.trials=0")
    done = franklin("select", table, *words, "--json", home=up.home)
    said = "folds, and all that is chosen by them, flatter doctor (encoding: target): "
    assert said in " ".join(done.stderr.split())
    assert said in Path(summary(done)["report"]).read_text(encoding="utf-8")


@pytest.mark.soak
def test_a_network_that_is_recommended_is_composed_as_a_network(up: Up, breast: Path) -> None:
    table = named(breast, "network")
    words = ("contest.candidates=[mlp]", "contest.folds=2", "contest.sizes=[0.5]", "contest.trials=0")
    outcome = summary(franklin("select", table, *words, "trainer.max_epochs=6", "--json", home=up.home))
    assert outcome["recommendation"] == "mlp", outcome
    selection = kept(up.home, "network")
    assert selection is not None
    assert selection.overrides == ["trainer.max_epochs=6"]
    settings = settled(str(table), ["model=selected", f"home={up.home}"])
    assert (settings.model, settings.trainer.max_epochs) == (compose(str(table)).model, 6)
    done = summary(franklin("run", table, "model=selected", "--json", home=up.home))
    assert up.client.get_run(done["run_id"]).data.params["model"] == "mlp"


@pytest.mark.soak
@pytest.mark.usefixtures("chosen")
def test_ctrl_c_ends_every_fit(up: Up, breast: Path) -> None:
    command = [*FRANKLIN, "select", str(named(breast, "contest")), *CONTEST, "contest.trials=400", "budget_seconds=900"]
    before = set((up.home / "runs").iterdir())
    process = subprocess.Popen(command, env=variables_of(up.home), stderr=subprocess.PIPE, text=True)
    folder = _journal_of(up, before, lines=2).parent.parent
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "franklin: interrupted; everything that was started has been ended" in said
    assert working_in(folder) == []
    assert tracked(up, folder.name).info.status == "KILLED"


@pytest.mark.soak
@pytest.mark.usefixtures("chosen")
def test_a_cancelled_contest_that_is_retried_goes_on_with_its_journal(up: Up, breast: Path) -> None:
    words = json.dumps([*CONTEST[1:2], "contest.trials=60", "contest.folds=3", "contest.sizes=[0.4]"])
    asked = [f"experiment={named(breast, 'contest')}", "budget_seconds=90", "blind=false", f"overrides={words}"]
    before = set((up.home / "runs").iterdir())
    flow_run_id = start(up, "flights-airtime", *asked, flow="select")
    journal = _journal_of(up, before, lines=4)
    prefect(up, "flow-run", "cancel", flow_run_id)
    with api(up), get_client(sync_client=True) as client:
        assert follow(client, flow_run_id, seconds=60).state_name == "Cancelled"
        known = journal.read_text(encoding="utf-8").splitlines()[:4]
        prefect(up, "flow-run", "retry", flow_run_id)
        time.sleep(2)  # until the state is no longer the final one
        assert follow(client, flow_run_id).state_name == "Completed"
    assert journal.read_text(encoding="utf-8").splitlines()[:4] == known
    assert tracked(up, flow_run_id).info.status == "FINISHED"


def _journal_of(up: Up, before: set[Path], *, lines: int) -> Path:
    """The journal of a contest that has begun since, once so many fits are done."""
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        for folder in set((up.home / "runs").iterdir()) - before:
            journal = folder / "contest" / "journal.jsonl"
            if journal.exists() and len(journal.read_text(encoding="utf-8").splitlines()) >= lines:
                return journal
        time.sleep(0.1)
    raise TimeoutError("no contest has begun")
