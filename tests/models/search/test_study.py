"""A study: exhausted as promised, reproducible, and going on where a killed flow left it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.errors import FranklinError
from conf.schema import Choices, Range, Tuner
from models.search.space import Value
from models.search.study import Study, Trial, open_study

TunerName = Literal["grid", "random", "tpe"]
SPACE: dict[str, Range | Choices] = {
    "optimizer.learning_rate": Range(low=3e-4, high=1e-2, log=True),
    "model.dropout": Range(low=0.0, high=0.3, steps=2),
    "model.hidden": Choices(choices=[[64], [128, 64]]),
}


def tuner(name: str, trials: int = 8, space: dict[str, Range | Choices] = SPACE) -> Tuner:
    return Tuner.model_validate({"name": name, "trials": trials, "max_epochs": 1, "space": space})


def loss(values: dict[str, Value]) -> float:
    return float(str(values["model.dropout"])) + len(str(values["model.hidden"]))


def rest(study: Study) -> Iterator[Trial]:
    """Ask and tell to the end."""
    while (trial := study.ask()) is not None:
        study.tell(trial.number, loss(trial.values))
        yield trial


def test_the_grid_visits_every_point_once(tmp_path: Path) -> None:
    study = open_study(tuner("grid", trials=100), "minimize", 1, tmp_path)
    seen = [str(sorted(trial.values.items())) for trial in rest(study)]
    assert study.size == len(seen) == len(set(seen)) == 3 * 2 * 2
    assert study.ask() is None


@pytest.mark.parametrize("name", ["grid", "random", "tpe"])
def test_the_seed_decides_the_order(name: str, tmp_path: Path) -> None:
    first, again, other = (
        [trial.values for trial in rest(open_study(tuner(name), "minimize", seed, tmp_path / folder))]
        for seed, folder in [(1, "first"), (1, "again"), (2, "other")]
    )
    assert len(first) == 8
    assert first == again
    assert first != other


@pytest.mark.parametrize("name", ["grid", "random", "tpe"])
def test_a_reopened_study_goes_on_as_if_nothing_had_happened(name: str, tmp_path: Path) -> None:
    whole = [trial.values for trial in rest(open_study(tuner(name), "minimize", 3, tmp_path / "whole"))]
    killed = open_study(tuner(name), "minimize", 3, tmp_path / "killed")
    for _ in range(3):
        trial = killed.ask()
        assert trial
        killed.tell(trial.number, loss(trial.values))
    unfinished = killed.ask()
    retried = open_study(tuner(name), "minimize", 3, tmp_path / "killed")
    assert unfinished == retried.ask()
    assert unfinished
    retried.tell(unfinished.number, loss(unfinished.values))
    for _ in rest(retried):
        pass
    assert [trial.values for trial in retried.trials] == whole


@settings(max_examples=20)
@given(
    name=st.sampled_from(["grid", "random", "tpe"]),
    losses=st.lists(st.none() | st.floats(allow_infinity=True, allow_nan=True), min_size=8, max_size=8),
    direction=st.sampled_from(["minimize", "maximize"]),
)
def test_best_is_the_best_of_those_that_succeeded(
    name: str,
    losses: list[float | None],
    direction: Literal["minimize", "maximize"],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    study = open_study(tuner(name), direction, 1, tmp_path_factory.mktemp("study"))
    for objective in losses:
        trial = study.ask()
        assert trial
        study.tell(trial.number, objective)
    good = [trial.objective for trial in study.trials if trial.objective is not None]
    if good:
        assert study.best().objective == (min(good) if direction == "minimize" else max(good))
    else:
        with pytest.raises(FranklinError, match="none of 8 trials succeeded"):
            study.best()


def test_importances_name_the_key_that_matters(tmp_path: Path) -> None:
    study = open_study(tuner("random", trials=60), "minimize", 1, tmp_path)
    assert study.importances() == {}
    while (trial := study.ask()) is not None:
        study.tell(trial.number, float(str(trial.values["model.dropout"])))
    importances = study.importances()
    assert importances.keys() == SPACE.keys()
    assert max(importances, key=importances.__getitem__) == "model.dropout"


def test_nothing_to_search_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(FranklinError, match=r"name keys in tuner\.space"):
        open_study(tuner("tpe", space={}), "minimize", 1, tmp_path)


def test_the_flow_can_import_it_without_torch() -> None:
    code = "import models.search.study, sys; assert not {'torch', 'sklearn', 'sqlalchemy'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_optuna_is_silent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("grid", "random", "tpe"):
        for _ in rest(open_study(tuner(name), "minimize", 1, tmp_path / name)):
            pass
    assert capfd.readouterr() == ("", "")
