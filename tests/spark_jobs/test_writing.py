"""Drafts: two runs of the same feature set take turns, and a run that fails leaves nothing."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from spark_jobs.writing import drafting


def test_runs_of_one_feature_set_take_turns_and_leave_no_lock(tmp_path: Path) -> None:
    folder, inside = str(tmp_path / "sets" / "one"), []

    def run(_: int) -> int:
        with drafting(folder):
            inside.append(1)
            time.sleep(0.005)
            together = len(inside)
            inside.pop()
        return together

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(run, range(80))) == {1}
    assert list((tmp_path / "sets").iterdir()) == []


def fail(folder: Path) -> None:
    with drafting(str(folder)) as draft:
        Path(draft.hidden, "train").mkdir(parents=True)
        Path(draft.target).mkdir()  # as if it failed while publishing
        raise ZeroDivisionError


def test_a_failed_run_leaves_neither_draft_nor_lock(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        fail(tmp_path / "one")
    assert list(tmp_path.iterdir()) == []
