"""Who takes part, and where fits are done."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from conf.errors import FranklinError
from models.candidates import local_candidates
from models.candidates.engines import IN_SPARK, at_once, engine_for, entrants, in_spark
from models.candidates.inspark import BOOSTED
from spark_jobs.fitting import learners
from tests.models.candidates.contests import contest_request, made_rows, write_rows


def test_what_is_sent_to_spark_is_what_it_fits() -> None:
    assert set(learners.LEARNERS) == in_spark("binary") == in_spark("regression") == IN_SPARK
    assert IN_SPARK - in_spark("multiclass") == {"gradient_boosting"}
    assert IN_SPARK - in_spark("binary", connect=True) == {"xgboost"}
    assert learners.BOOSTED == BOOSTED


def test_who_takes_part_is_known_without_the_libraries_that_fit() -> None:
    heavy = "{'sklearn', 'xgboost', 'lightgbm', 'torch', 'pyspark'}"
    said = f"import sys, models.candidates.engines; assert not {heavy} & set(sys.modules), sys.modules.keys()"
    subprocess.run([sys.executable, "-c", said], check=True)


def test_auto_is_spark_where_copies_of_the_rows_do_not_fit_into_the_memory_of_a_fit(tmp_path: Path) -> None:
    rows = made_rows("regression", np.zeros(6000), np.zeros((6000, 50)))
    manifest = write_rows(tmp_path, rows)
    for engine, memory, expected in (("auto", "4g", "local"), ("auto", "1m", "spark"), ("local", "1m", "local")):
        contest = contest_request(tmp_path, tmp_path, engine=engine, memory=memory).contest
        assert engine_for(contest, manifest, rows.columns) == expected


def test_those_who_suit_take_part_and_others_who_were_named_are_told_of(tmp_path: Path) -> None:
    columns, notes = made_rows("binary", [0, 1], np.zeros((2, 1))).columns, list[str]()
    every = local_candidates()
    free = contest_request(tmp_path, tmp_path).contest
    assert "mean" not in {each.name for each in entrants(free, every, columns, notes)}
    assert notes == []
    named = contest_request(tmp_path, tmp_path, candidates=["lasso", "mean", "majority", "mlp"]).contest
    assert [each.name for each in entrants(named, every, columns, notes)] == ["majority", "lasso"]
    assert notes == [
        "mean does not suit these columns and this label (binary)",
        "mlp did not take part: no request says how it is trained",
    ]
    alone = contest_request(tmp_path, tmp_path, candidates=["mean"]).contest
    with pytest.raises(FranklinError, match=r"contest.candidates: none of mean suits a binary label"):
        entrants(alone, every, columns, notes)


def test_a_contest_that_goes_on_has_as_many_fits_at_a_time_as_when_it_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = contest_request(tmp_path, tmp_path / "run", memory="1g").model_copy(update={"cores": 3})
    for free, expected in ((2, 2), (8, 2), (1, 2)):
        monkeypatch.setattr("psutil.virtual_memory", lambda free=free: SimpleNamespace(available=free * 2**30))
        assert at_once(request) == expected
