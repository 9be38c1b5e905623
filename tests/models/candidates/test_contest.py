"""Whole contests on small rows, in a process of their own."""

import html
import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from conf.columns import Target
from conf.selecting import FINDINGS, JOURNAL, REPORT, Findings
from models.candidates.rows import Rows
from tests.models.candidates.contests import answered, contest_request, found, made_rows, start, write_rows

FAULTY = "tests.models.candidates.faulty"
GENERATOR = np.random.default_rng(0)
NUMBERS = GENERATOR.normal(size=(1200, 4))
SIGNAL = NUMBERS[:, 0] + NUMBERS[:, 1] / 2 + GENERATOR.normal(size=1200)
DAYS = np.sort(GENERATOR.integers(0, 60, 1200))


def rows(task: str, **changes: object) -> Rows:
    label = SIGNAL if task == "regression" else (SIGNAL > 0).astype(float)
    return made_rows(task, **{"label": label, "numbers": NUMBERS, "where": DAYS} | changes)


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    """A contest in which some crash, eat memory, hang, raise, or give no numbers."""
    folder = tmp_path_factory.mktemp("faulty")
    write_rows(folder / "set", rows("binary"))
    costs = {"false_positive": 1, "false_negative": 3}
    return found(contest_request(folder / "set", folder / "run", fit_seconds=2, costs=costs, blind=True), FAULTY)


def test_a_contest_goes_on_without_those_who_fail_and_says_so(faulty: Findings) -> None:
    said = {each.candidate: each.failure for each in faulty.standings if each.failure}
    assert said == {
        "decision_tree": "fold 1 of 3: its process crashed (SIGSEGV)",
        "random_forest": "fold 1 of 3: it needs more memory than the 512 MiB that a fit may take",
        "gradient_boosting": "it took longer than 2 seconds and was ended with 32 rows already",
        "xgboost": "fold 1 of 3: ValueError: first line second line",
        "mlp": "fold 1 of 3: 257 of its 257 scores are no finite numbers",
    }
    assert all(f"{name} fell out: {why}" in faulty.notes for name, why in said.items())
    assert faulty.recommendation.candidate in ("logistic_regression", "ridge")


def test_everything_is_measured_of_those_who_get_through(faulty: Findings) -> None:
    names = [each.candidate for each in faulty.standings]
    through = [each for each in faulty.standings if each.failure is None]
    assert names[0] == "majority"
    assert len(through) == 4
    for each in through:
        assert len(each.folds) == 3
        assert each.low <= each.mean <= each.high
        assert each.behind >= 0
        assert each.test["auc"].low <= each.test["auc"].value <= each.test["auc"].high
        assert each.rows == 960
        assert each.seconds > 0
        assert each.size_bytes > 0
        assert 0 < each.latency.one_p50_seconds <= each.latency.one_p99_seconds
        assert each.curve.rows == [72, 216, 720]
        assert each.periods
        assert each.threshold.cost.value <= each.threshold.cost_at_half
    assert faulty.folds_by.startswith("by date: 3 expanding windows")
    days = len(np.unique(DAYS[960:]))
    assert faulty.intervals_by == f"whole days, {days} of them"
    assert {period.drawn for each in through for period in each.periods} == {"rows" if days <= 13 else "days"}
    assert sorted(faulty.labels.values()) == sorted("ABCDEFGHI"[: len(names)])
    assert {each.candidate for each in faulty.explanations} == {each.candidate for each in through}


def test_a_contest_that_was_killed_goes_on_with_the_fits_that_it_has(tmp_path: Path) -> None:
    write_rows(tmp_path / "set", rows("regression", where=None))
    names = ["mean", "linear_regression", "ridge", "lightgbm"]
    request = contest_request(tmp_path / "set", tmp_path / "run", candidates=names)
    journal, reached = request.run_folder / JOURNAL, 9
    engine = start(request, FAULTY, SLOW_SECONDS="0.4")
    while engine.poll() is None and (not journal.exists() or journal.read_bytes().count(b"\n") < reached):
        time.sleep(0.02)
    below = psutil.Process(engine.pid).children(recursive=True)
    os.kill(engine.pid, signal.SIGKILL)
    engine.communicate()
    _, alive = psutil.wait_procs(below, timeout=20)
    assert not alive
    before = journal.read_bytes()
    journal.write_bytes(before + b'{"candidate": "rid')  # torn, as if it had died while it wrote
    findings = found(request, FAULTY)
    assert journal.read_bytes().startswith(before)
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    keys = [tuple(str(line[key]) for key in ("candidate", "phase", "fold", "rows", "values")) for line in lines]
    assert len(keys) == len(set(keys)) == 4 * (2 + 3 + 1)
    whole = found(request.model_copy(update={"run_folder": tmp_path / "whole"}), FAULTY)
    assert [each.folds for each in findings.standings] == [each.folds for each in whole.standings]
    assert [each.test for each in findings.standings] == [each.test for each in whole.standings]


def test_the_report_names_columns_that_the_folds_flatter(tmp_path: Path) -> None:
    manifest = write_rows(tmp_path / "set", rows("binary"))
    column = Target(name="x3", vocabulary=["a"], means=[[0.5]], missing=[0.0])
    other = manifest.model_copy(update={"columns": [*manifest.columns[:3], column]})
    (tmp_path / "set" / "manifest.json").write_text(other.model_dump_json(), encoding="utf-8")
    findings = found(contest_request(tmp_path / "set", tmp_path / "run", candidates=["majority", "ridge"]))
    (note,) = [each for each in findings.notes if "flatter x3 (encoding: target)" in each]
    assert note in html.unescape((tmp_path / "run" / REPORT).read_text(encoding="utf-8"))


def test_nothing_of_a_contest_outlives_sigterm(tmp_path: Path) -> None:
    write_rows(tmp_path / "set", rows("regression"))
    request = contest_request(tmp_path / "set", tmp_path / "run", candidates=["gradient_boosting"])
    engine = start(request, FAULTY)
    below: list[psutil.Process] = []
    while engine.poll() is None and not any("sleep" in process.name() for process in below):
        time.sleep(0.05)
        below = psutil.Process(engine.pid).children(recursive=True)
    engine.terminate()
    engine.communicate()
    assert not psutil.wait_procs(below, timeout=20)[1]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (rows("binary", label=np.zeros(1200)), "label label has the class no alone in train and validation"),
        (rows("regression", label=np.r_[np.nan, SIGNAL[1:]]), "whose label label is no number"),
        (rows("regression").take(np.arange(2)), "made has 1 rows of train and validation"),
    ],
)
def test_rows_that_allow_no_contest_are_told_in_one_line(given: Rows, says: str, tmp_path: Path) -> None:
    write_rows(tmp_path / "set", given, validation=0.2, test=0.5 if len(given) == 2 else 0.2)
    answer, _ = answered(contest_request(tmp_path / "set", tmp_path / "run"), FAULTY)
    assert says in answer["error"]
    assert "\n" not in answer["error"]
    assert not (tmp_path / "run" / JOURNAL).exists()


def test_if_all_fail_it_is_an_error_of_one_line(tmp_path: Path) -> None:
    write_rows(tmp_path / "set", rows("regression"))
    wanted = contest_request(tmp_path / "set", tmp_path / "run", candidates=["decision_tree", "xgboost"])
    answer, _ = answered(wanted, FAULTY)
    assert answer["error"] == (
        "none of 2 candidates could be fitted; the first failed with decision_tree: fold 1 of 3: its process crashed "
        "(SIGSEGV)"
    )


def test_where_spark_fits_rows_are_mapped_and_those_that_it_has_not_are_fitted_here_as_ever(tmp_path: Path) -> None:
    write_rows(tmp_path / "set", rows("regression"))
    local, spark = (
        contest_request(tmp_path / "set", tmp_path / engine, engine=engine, candidates=["mean", "lightgbm"])
        for engine in ("local", "spark")
    )
    engine = start(spark)
    while engine.poll() is None and not (spark.run_folder / JOURNAL).exists():
        time.sleep(0.02)
    maps = [each.path for each in psutil.Process(engine.pid).memory_maps() if str(spark.run_folder) in each.path]
    _, said = engine.communicate(timeout=300)
    assert len(maps) == 2, said  # numbers of the pool, and of test
    findings = Findings.model_validate_json((spark.run_folder / FINDINGS).read_text(encoding="utf-8"))
    assert findings.engine == "spark"
    assert [each.folds for each in findings.standings] == [each.folds for each in found(local).standings]
