"""An ensemble, by itself and as the last rung of a contest."""

import json
from pathlib import Path

import numpy as np
import pytest

from conf.errors import FranklinError
from conf.manifest import read_manifest
from conf.selecting import Findings
from models.candidates import named
from models.candidates.assembling import in_step
from models.candidates.bench import Entry
from models.candidates.ensemble import Ensemble, Part
from models.candidates.reading import columns_of, read_rows
from models.candidates.report.formats import number
from models.candidates.report.naming import TITLES
from models.candidates.rows import Rows
from tests.models.candidates.contests import contest_request, found, made_rows, write_rows
from tests.models.candidates.planted import fits
from tests.models.candidates.test_truth import mlp

GENERATOR = np.random.default_rng(3)
NUMBERS = GENERATOR.normal(size=(900, 5))
# A line that trees see in steps, and a step that a line does not see: each knows what the other does not.
SIGNAL = 2 * NUMBERS[:, 0] + NUMBERS[:, 1] + 3 * (NUMBERS[:, 2] * NUMBERS[:, 3] > 0)


def rows() -> Rows:
    return made_rows("regression", SIGNAL + GENERATOR.normal(size=900), NUMBERS)


def test_it_is_the_weighted_mean_of_its_members_and_reads_what_it_wrote(tmp_path: Path) -> None:
    given = rows()
    parts = [Part(named("ridge"), 0.25, {}), Part(named("lightgbm"), 0.75, {"leaves": 7}, rows=300)]
    fitted = Ensemble(parts).fit(given, seed=1, values={}, threads=1)
    alone = [
        each.candidate.fit(given.draw(each.rows, 1), seed=1, values=each.values, threads=1).predict(given)
        for each in parts
    ]
    assert np.allclose(fitted.predict(given), 0.25 * alone[0] + 0.75 * alone[1])
    fitted.save(tmp_path)
    read = named("ensemble").load(tmp_path, given.columns)
    assert np.allclose(read.predict(given), fitted.predict(given))


@pytest.mark.parametrize(("parts", "values", "says"), [(0, {}, "there are none"), (1, {"leaves": 3}, "'leaves'")])
def test_what_it_cannot_be_is_told(parts: int, values: dict[str, int], says: str) -> None:
    with pytest.raises(FranklinError, match=says):
        Ensemble([Part(named("ridge"), 1.0, {})] * parts).fit(rows(), seed=0, values=values, threads=1)


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Findings]:
    """A contest of a line, trees, a network, and what is made of them."""
    folder = tmp_path_factory.mktemp("ensemble")
    write_rows(folder / "set", rows())
    names = ["mean", "ridge", "gradient_boosting", "mlp", "ensemble"]
    request = contest_request(folder / "set", folder / "run", candidates=names)
    return folder, found(request.model_copy(update={"networks": [mlp(folder / "set", folder / "run")]}))


def test_it_is_the_last_rung_with_all_that_others_have(held: tuple[Path, Findings]) -> None:
    folder, findings = held
    standing = findings.standings[-1]
    others = {each.candidate: each for each in findings.standings[:-1]}
    assert (standing.candidate, standing.failure) == ("ensemble", None)
    assert len(standing.members) > 1
    assert "mean" not in standing.members
    assert sum(standing.members.values()) == pytest.approx(1)
    members = [others[name] for name in standing.members]
    assert len(standing.folds) == 3
    assert standing.processor_seconds == pytest.approx(sum(each.processor_seconds for each in members))
    assert standing.peak_memory_bytes == max(each.peak_memory_bytes for each in members)
    assert standing.size_bytes > sum(each.size_bytes for each in members)
    assert standing.rows == others["ridge"].rows  # as all had
    assert standing.share == pytest.approx(1)
    assert standing.latency.one_p50_seconds > max(each.latency.one_p50_seconds for each in members)
    assert standing.curve.rows == others["ridge"].curve.rows[:-1]  # members may have had other rows in the last fold
    assert standing.candidate in {each.candidate for each in findings.explanations}
    assert not any('"ensemble"' in line for line in (folder / "run" / "journal.jsonl").read_text().splitlines())


def test_what_it_says_on_test_is_the_mean_of_its_members_finals(held: tuple[Path, Findings]) -> None:
    folder, findings = held
    standing = findings.standings[-1]
    journal = [json.loads(line) for line in (folder / "run" / "journal.jsonl").read_text().splitlines()]
    finals = {fit["candidate"]: np.load(folder / "run" / fit["scores"]) for fit in journal if fit["phase"] == "final"}
    mean = sum(weight * finals[name] for name, weight in standing.members.items())
    manifest = read_manifest(str(folder / "set"))
    test = read_rows(str(folder / "set"), manifest, ("test",))
    assert standing.test["rmse"].value == pytest.approx(float(np.sqrt(np.mean((mean - test.label) ** 2))))
    read = named("ensemble").load(folder / "run" / "models" / "ensemble", columns_of(manifest))
    assert np.allclose(read.predict(test), mean, atol=1e-5)


def test_of_one_candidate_there_is_none_and_a_note_says_so(tmp_path: Path) -> None:
    write_rows(tmp_path / "set", rows())
    findings = found(contest_request(tmp_path / "set", tmp_path / "run", candidates=["mean", "ridge", "ensemble"]))
    assert [each.candidate for each in findings.standings] == ["mean", "ridge"]
    assert "ensemble: there is none, since it takes two candidates" in findings.notes


def test_who_has_far_fewer_rows_in_the_end_than_folds_had_is_no_member() -> None:
    names = ("xgboost", "lightgbm", "ridge", "lasso", "mlp")
    folds, finals = (100, 50, 100, 10, 100), (1000, 300, 400, 100, 0)
    entries = [Entry(named("ridge"), folds=fits(name, [rows], [1])) for name, rows in zip(names, folds, strict=True)]
    for entry, name, rows in zip(entries, names, finals, strict=True):
        entry.final = fits(name, [rows], [1])[0] if rows else None
    assert [each.folds[0].candidate for each in in_step(entries)] == ["xgboost", "lightgbm", "lasso"]
    assert in_step([]) == []


def test_the_report_says_what_it_is_made_of(held: tuple[Path, Findings]) -> None:
    folder, findings = held
    page = (folder / "run" / "report.html").read_text(encoding="utf-8")
    heaviest = max(findings.standings[-1].members.items(), key=lambda each: each[1])
    assert "<dt>Ensemble</dt>" in page
    assert f"{number(heaviest[1])} \N{MULTIPLICATION SIGN} {TITLES[heaviest[0]]}" in page
