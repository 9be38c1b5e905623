"""The journal of a contest."""

from pathlib import Path

from conf.selecting import Fit, FitTask
from models.candidates.journal import Journal

FIT = Fit(
    candidate="ridge",
    phase="fold",
    fold=2,
    rows=10,
    values={"strength": 0.1, "deep": [1, 2]},
    metrics={"rmse": 1.25},
    seconds=0.5,
    processor_seconds=0.4,
    peak_memory_bytes=7,
)


def task(**changes: object) -> FitTask:
    wanted = FIT.model_dump(include={"candidate", "phase", "fold", "values"}) | {"seed": 0, "learn": "learn.npy"}
    limits = {"held": None, "scores": "s.npy", "model": None, "memory_bytes": 1, "timeout_seconds": 1, "threads": 1}
    return FitTask.model_validate(wanted | limits | changes)


def test_a_fit_is_found_by_what_it_was_and_nothing_else(tmp_path: Path) -> None:
    Journal(tmp_path / "journal.jsonl").add(FIT)
    journal = Journal(tmp_path / "journal.jsonl")
    assert list(journal) == [FIT]
    assert journal.find(task(timeout_seconds=9, seed=3, values={"deep": [1, 2], "strength": 0.1}), 10) == FIT
    assert journal.find(task(), 11) is None
    for change in ({"candidate": "lasso"}, {"phase": "size"}, {"fold": 1}, {"values": {}}):
        assert journal.find(task(**change), 10) is None


def test_a_torn_last_line_is_no_fit_and_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    Journal(path).add(FIT)
    whole = path.read_bytes()
    for cut in range(1, len(whole)):
        path.write_bytes(whole + whole[:cut])
        journal = Journal(path)
        assert len(journal) == 1
        other = FIT.model_copy(update={"fold": 3})
        journal.add(other)
        assert list(Journal(path)) == [FIT, other]


def test_a_failed_fit_is_kept_as_well(tmp_path: Path) -> None:
    failed = FIT.model_copy(update={"failure": "it crashed", "metrics": {}})
    Journal(tmp_path / "journal.jsonl").add(failed)
    assert Journal(tmp_path / "journal.jsonl").find(task(), 10) == failed
