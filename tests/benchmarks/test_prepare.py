"""What fails is marked and said, and takes no other way with it."""

import json
from pathlib import Path

import pytest

from benchmarks.prepare import repeat, show
from benchmarks.prepare_ways import Command


def shell(script: str) -> Command:
    """A way that is a line of the shell, whose `$0` is where its output goes."""

    def command(_: Path, out: Path) -> list[str]:
        return ["sh", "-c", script, out.name]

    return command


def test_a_way_that_fails_is_marked_and_the_others_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    once = shell(f"test ! -e {tmp_path}/seen && touch {tmp_path}/seen")
    left = {"base": shell("echo Error: of $0 >&2; exit 3"), "once": once, "steady": shell("true")}
    found = repeat(left, tmp_path / "flights-1", tmp_path / "out", 3)
    assert list(left) == ["steady"]
    assert {way: len(runs) for way, runs in found.items()} == {"base": 1, "once": 2, "steady": 3}
    assert found["base"] == ["ended with 3: Error: of base"]
    assert "flights-1 base: ended with 3: Error: of base" in capsys.readouterr().err
    show(1, 100, found)
    table, _, line = capsys.readouterr().out.rstrip().rpartition("\n")
    assert "against steady" in table
    cells = [[cell.strip() for cell in row.split("│")[1:-1]] for row in table.splitlines() if row.startswith("│")]
    base, again, steady = cells
    assert base == ["base", "failed", "", "", "", ""]
    assert again[1].endswith(", failed")
    assert again[2:] == [""] * 4
    assert steady[3] == "1.00"
    assert json.loads(line)["runs"]["base"] == found["base"]


def test_where_all_fail_there_is_still_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left = {"one": shell("false")}
    show(1, 100, repeat(left, tmp_path / "flights-1", tmp_path / "out", 2))
    assert "failed" in capsys.readouterr().out
    assert left == {}
