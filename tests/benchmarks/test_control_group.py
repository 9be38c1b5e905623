"""A stage is held in memory without swap, is looked at to its end, and leaves nothing behind."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from benchmarks import control_group
from benchmarks.control_group import ROOT, Group, limited

LIMIT = 64 * 2**20
EAT = "import sys; held = bytearray(int(sys.argv[1])); held[:] = b'x' * len(held)"


def may_make_groups() -> bool:
    return os.access(ROOT / "memory" if (ROOT / "memory").is_dir() else ROOT, os.W_OK)


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Version 2 of the interface, as plain files, which go with their folder as the kernel's do."""
    monkeypatch.setattr(control_group, "ROOT", tmp_path)
    monkeypatch.setattr(Path, "rmdir", shutil.rmtree)
    monkeypatch.setattr(control_group, "SECONDS_TO_END", 0.5)
    return tmp_path


@pytest.mark.skipif(not may_make_groups(), reason="control groups are root's")
def test_a_process_is_held_inside_its_memory() -> None:
    with limited(LIMIT) as (group, used):
        folder = group.folder
        assert subprocess.run(group.enter([sys.executable, "-c", EAT, str(LIMIT // 4)]), check=False).returncode == 0
        assert subprocess.run(group.enter([sys.executable, "-c", EAT, str(LIMIT * 2)]), check=False).returncode == -9
        swap = next(
            file for name in ("memsw.limit_in_bytes", "swap.max") if (file := folder / f"memory.{name}").exists()
        )
        assert int(swap.read_text()) in (0, LIMIT)
    assert not folder.exists()
    assert used.peak is None or LIMIT // 2 < used.peak <= LIMIT


def test_a_watcher_that_died_is_no_low_peak(kernel: Path) -> None:
    watched = limited(LIMIT)  # and nothing has memory.stat
    group, _ = watched.__enter__()
    (group.folder / "cgroup.procs").touch()
    assert (group.folder / "memory.max").read_text() == str(LIMIT)
    time.sleep(3 * control_group.SECONDS_BETWEEN)
    with pytest.raises(FileNotFoundError, match=r"memory\.stat"):
        watched.__exit__(None, None, None)
    assert list(kernel.iterdir()) == []


def test_a_process_that_lingers_is_named(kernel: Path) -> None:
    group = Group(LIMIT)
    (group.folder / "cgroup.procs").write_text("12\n345\n")
    with pytest.raises(RuntimeError, match=f"processes 12, 345 do not end; end them and remove {kernel}"):
        group.close()


def test_swap_that_cannot_be_limited_is_refused(kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = psutil.swap_memory()._replace(total=2**30)
    monkeypatch.setattr(psutil, "swap_memory", lambda: there)
    with pytest.raises(RuntimeError, match="swap"):
        Group(LIMIT)
    assert list(kernel.iterdir()) == []
