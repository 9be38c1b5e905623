"""Every YAML and every command of docs/data.md and docs/training.md is one that the settings take."""

import re
import shlex
from pathlib import Path

import pytest

from conf.compose import compose
from conf.places import Join, Place

DOCS = Path(__file__).parents[2] / "docs"
TEXT, TRAINING = ((DOCS / name).read_text(encoding="utf-8") for name in ("data.md", "training.md"))
TABLES = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = [line.split("#")[0] for line in (TEXT + TRAINING).splitlines() if line.startswith("franklin run ")]
INLINE = re.findall(r"`franklin run (digits[^`]*)`", TEXT)


@pytest.mark.parametrize("table", TABLES)
def test_a_table_composes(table: str, tmp_path: Path) -> None:
    (tmp_path / "visits.yaml").write_text(table)
    assert compose(str(tmp_path / "visits.yaml")).data.label == "ill"


@pytest.mark.parametrize("command", COMMANDS + [f"franklin run {words}" for words in INLINE])
def test_a_command_composes(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HADOOP_CONF_DIR", "/etc/hadoop")
    _, _, experiment, *overrides = shlex.split(command)
    compose(experiment, overrides)


def test_all_that_a_place_may_say_is_named() -> None:
    section = TEXT.split("## Sources and joins")[1].split("## ")[0]
    assert [name for name in {*Place.model_fields, *Join.model_fields} if f"{name}:" not in section] == []
