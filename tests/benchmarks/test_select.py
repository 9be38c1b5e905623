"""Contestants are judged alike and paired by seed; who is not there is said."""

import json
import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.report import machine
from benchmarks.select import BEST, RECOMMENDED, before, contest, hold, paired, peer, score, show, verdicts
from benchmarks.select_one import frame
from benchmarks.select_sets import BUNDLED, experiment, export
from conf.compose import compose
from tests.feature_sets import write_feature_set


def run(metric: float, chosen: str = "lightgbm", milliseconds: float = 5, **families: float) -> dict[str, object]:
    return {
        "metric": metric,
        "seconds": 10.0,
        "chosen": chosen,
        "one_p50_seconds": milliseconds / 1000,
        "families": families,
    }


RUNS = {
    BEST: {1: run(0.80, boosting=0.80, network=0.79), 2: run(0.82, boosting=0.82, network=0.83)},
    RECOMMENDED: {1: run(0.79, "ridge", 0.1), 2: run(0.82)},
    "flaml": {1: run(0.79), 2: run(0.82)},
    "autogluon": {1: run(0.70), 2: run(0.71)},
}


def test_differences_are_paired_by_seed() -> None:
    gap, reach = paired([1.0, 2.0, 3.0], [1.1, 2.1, 3.1], 1)
    assert gap == pytest.approx(-0.1)
    assert reach == pytest.approx(0, abs=1e-9)
    assert paired([1.0], [1.5], -1) == (0.5, None)


def test_what_has_to_be_reached_is_said() -> None:
    said = verdicts(RUNS, 1)
    assert (said["best_peer"], said["as_good"]) == ("flaml", True)
    assert said["ahead_of_it"] == pytest.approx(0.005)
    assert said["seeds_with_a_simpler_one"] == 1
    assert said["latency_of_recommended_to_best"] == pytest.approx(0.02)
    assert "seeds_where_a_tenth_is_to_be_had" not in said
    quick = {seed: each | {"quick": ["ridge"]} for seed, each in RUNS[BEST].items()}
    had = verdicts(RUNS | {BEST: quick}, 1)
    assert (had["seeds_where_a_tenth_is_to_be_had"], had["a_tenth_is_recommended_in"]) == (2, 1)
    assert (said["boosting_beats_networks_in"], said["of"]) == (1, 2)
    behind = {BEST: {1: run(2.0), 2: run(2.1)}, RECOMMENDED: {1: run(2.0), 2: run(2.1)}, "flaml": RUNS["flaml"]}
    assert verdicts(behind, -1)["as_good"] is False
    alone = verdicts({BEST: RUNS[BEST], RECOMMENDED: RUNS[BEST]}, 1)
    assert "as_good" not in alone
    assert alone["seeds_with_a_simpler_one"] == 0


def test_a_table_and_a_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    show("flights", "binary", RUNS, {"autogluon": dict.fromkeys((3, 4), "not installed in any interpreter")}, 60)
    shown, _, line = capsys.readouterr().out.rstrip().rpartition("\n")
    assert "autogluon is left out of seed 3, 4: not installed in any interpreter" in shown
    assert "+0.0050 ±" in shown
    assert json.loads(line)["verdicts"]["as_good"] is True


def test_a_peer_that_failed_on_a_seed_is_paired_on_the_others(tmp_path: Path) -> None:
    asked = Namespace(kept=tmp_path / "kept.jsonl", seeds=[1, 2], seconds=60, overrides=[], peers=[])
    line = {"set": "wine", "seconds": 60, "overrides": "", "machine": machine(), "task": "multiclass", "time": 0}
    through = {who: of[1] for who, of in RUNS.items()}
    through["autogluon"] = run(0.90)  # ahead of all on the seed on which it got through
    without = {who: of[2] for who, of in RUNS.items() if who != "autogluon"}
    lines = [{"seed": 1, "runs": through, "failed": {}}, {"seed": 2, "runs": without, "failed": {"autogluon": "died"}}]
    asked.kept.write_text("".join(json.dumps(line | each) + "\n" for each in lines), encoding="utf-8")
    _, runs, left_out = hold("wine", tmp_path, asked)
    assert left_out == {"autogluon": {2: "died"}}
    assert list(runs["autogluon"]) == [1]
    said = verdicts(runs, 1)
    assert (said["best_peer"], said["seeds_with_it"]) == ("flaml", 2)


def test_what_is_kept_is_not_held_again_if_it_was_asked_alike(tmp_path: Path) -> None:
    asked = Namespace(kept=tmp_path / "kept.jsonl", seeds=[1, 2], seconds=60, overrides=[], peers=[])
    assert before(asked, "wine", 1) is None
    for seed in (1, 2):
        line = {"set": "wine", "seed": seed, "seconds": 60, "overrides": "", "machine": machine(), "task": "multiclass"}
        runs = {who: of[seed] for who, of in RUNS.items()}
        with asked.kept.open("a", encoding="utf-8") as kept:
            kept.write(json.dumps(line | {"time": 0, "runs": runs}) + "\n")
    assert hold("wine", tmp_path, asked) == ("multiclass", RUNS, {})
    for change in ({"seconds": 61}, {"overrides": ["contest.folds=3"]}):
        assert before(Namespace(**vars(asked) | change), "wine", 1) is None


@pytest.mark.parametrize("task", ["binary", "regression", "multiclass"])
def test_peers_get_the_encoded_rows_of_the_feature_set(task: str, tmp_path: Path) -> None:
    manifest = write_feature_set(tmp_path / "set", task, 200)
    export(tmp_path / "set", tmp_path / "rows", by_date=False)
    for split in ("train", "validation", "test"):
        rows = frame(tmp_path / "rows", split)
        assert len(rows) == manifest.splits[split].rows
        assert list(rows.columns) == [*(f"x{i}" for i in range(len(manifest.numeric))), "c0", "c1", "y"]
        assert [len(rows[f"c{i}"].cat.categories) for i in range(2)] == [c.cardinality for c in manifest.categorical]
        assert rows["y"].nunique() > 1
        assert not rows.isna().to_numpy().any()


def test_ours_is_a_whole_contest(tmp_path: Path) -> None:
    write_feature_set(tmp_path / "set", "binary", 300)
    few = ["candidates=[majority,logistic_regression]", "folds=2", "sizes=[0.5]", "trials=0", "budget_seconds=60"]
    overrides = [f"contest.{each}" for each in few]
    (tmp_path / "ours").mkdir()
    said = experiment("breast_cancer", tmp_path / "rows", 1)
    runs = contest(said, tmp_path / "set", tmp_path / "ours", 1, overrides)
    assert runs.keys() == {BEST, RECOMMENDED}
    assert runs[BEST]["families"].keys() == {"baseline", "linear"}
    assert runs[BEST]["one_p50_seconds"] > 0


def test_a_peer_that_is_not_there_is_said(tmp_path: Path) -> None:
    write_feature_set(tmp_path / "set", "binary", 100)
    export(tmp_path / "set", tmp_path / "rows", by_date=False)
    said = peer("autogluon", [sys.executable], tmp_path / "rows", tmp_path / "out", seconds=1, seed=1)
    assert said == "not installed in any interpreter"


def test_all_are_judged_by_the_main_metric() -> None:
    label = np.array([0.0, 1, 1, 0])
    assert score("binary", np.array([0.1, 0.9, 0.8, 0.2]), label) == 1
    assert score("regression", label + 2, label) == 2


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_sets_are_split_anew_by_each_seed(name: str, tmp_path: Path) -> None:
    said = [experiment(name, tmp_path / str(seed), seed) for seed in (1, 2)]
    data = compose(said[0]).data
    assert (data.label, data.ignore, data.split.by) == ("label", ["row"], "hash")
    first, second = ((tmp_path / str(seed) / f"{name}.csv").read_text(encoding="utf-8") for seed in (1, 2))
    assert first != second
    assert [line.rpartition(",")[0] for line in first.splitlines()] == [
        line.rpartition(",")[0] for line in second.splitlines()
    ]
