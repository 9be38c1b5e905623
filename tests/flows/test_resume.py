"""What `resume=` takes from an earlier run, and what it says when there is nothing."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conf.checkpoints import IDENTITY, check_resume, identity
from conf.compose import compose
from conf.errors import FranklinError
from flows.resume import goes_on


def context(folder: Path, resume: Path | None, said: list[str]) -> Any:
    settings = compose("flights_delay", [f"resume={resume}"] if resume else [])
    return SimpleNamespace(settings=settings, folder=folder, display=SimpleNamespace(say=said.append))


def write_checkpoint(run: Path) -> Path:
    path = run / "train" / "checkpoints" / "step-000000007"
    path.mkdir(parents=True)
    (path / "trainer.pt").write_bytes(b"state")
    settings = compose("flights_delay")
    fits = identity(settings.seed, settings.feed.batch_size, settings.model)
    (path.parent / IDENTITY).write_text(json.dumps(fits))
    return path


def test_a_run_begins_with_the_checkpoints_of_another_which_keeps_them(tmp_path: Path) -> None:
    earlier = write_checkpoint(tmp_path / "earlier")
    with goes_on(context(tmp_path / "run", tmp_path / "earlier", []), tmp_path / "run" / "train"):
        taken = tmp_path / "run" / "train" / "checkpoints" / earlier.name / "trainer.pt"
        assert taken.read_bytes() == b"state"
        taken.unlink()
    assert (earlier / "trainer.pt").exists()


def test_a_retry_goes_on_with_its_own(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "earlier")
    (tmp_path / "run" / "train" / "checkpoints").mkdir(parents=True)
    with goes_on(context(tmp_path / "run", tmp_path / "earlier", []), tmp_path / "run" / "train"):
        assert list((tmp_path / "run" / "train" / "checkpoints").iterdir()) == []


def test_half_a_copy_of_an_attempt_that_was_killed_is_not_gone_on_with(tmp_path: Path) -> None:
    earlier, train = write_checkpoint(tmp_path / "earlier"), tmp_path / "run" / "train"
    (train / "checkpoints.partial" / "step-000000099").mkdir(parents=True)
    with goes_on(context(tmp_path / "run", tmp_path / "earlier", []), train):
        assert sorted(path.name for path in (train / "checkpoints").iterdir()) == [IDENTITY, earlier.name]
        assert [path.name for path in train.iterdir()] == ["checkpoints"]


def test_a_run_that_ends_early_says_how_to_go_on(tmp_path: Path) -> None:
    said: list[str] = []
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt), goes_on(context(tmp_path, None, said), tmp_path / "train"):
            raise KeyboardInterrupt
        if not said:
            write_checkpoint(tmp_path)
    assert said == [f"  training has left a checkpoint; to go on with it, run with resume={tmp_path}"]


def test_where_there_is_nothing_to_go_on_from_that_is_told(tmp_path: Path) -> None:
    with pytest.raises(FranklinError, match=rf"^resume={tmp_path}/none: there is no such folder; name a run's"):
        check_resume(compose("flights_delay", [f"resume={tmp_path}/none"]))
    settings = compose("flights_delay", [f"resume={tmp_path}"])
    with pytest.raises(FranklinError, match=rf"^resume={tmp_path}: there is no checkpoint in {tmp_path}/train/che"):
        check_resume(settings)
    write_checkpoint(tmp_path)
    check_resume(settings)
    check_resume(compose("flights_delay"))


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("seed=7", r"of another training: seed was 1, now it is 7; set it back or"),
        (
            "model.dropout=0.5",
            r"of another training: model.dropout was 0.2, now it is 0.5; set it back or leave resume out",
        ),
        ("model=resnet", r"of another training: model.name was mlp, now it is resnet; set it back or"),
    ],
)
def test_what_does_not_fit_is_told_before_anything_starts(change: str, line: str, tmp_path: Path) -> None:
    write_checkpoint(tmp_path)
    with pytest.raises(FranklinError, match=line):
        check_resume(compose("flights_delay", [f"resume={tmp_path}", change]))
