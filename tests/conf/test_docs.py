"""Every YAML and every command of data.md, training.md and selecting.md in docs/ is one that the settings take."""

import re
import shlex
from pathlib import Path

import pytest

from conf.compose import compose
from conf.contests import CANDIDATES, Contest
from conf.places import Join, Place
from flows.contestants import contest_settings, networks, spelt

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("data.md", "training.md", "selecting.md")
TEXT, TRAINING, SELECTING = ((DOCS / name).read_text(encoding="utf-8") for name in PAGES)
TABLES = re.findall(r"```yaml\n(.*?)```", TEXT + SELECTING, re.DOTALL)
LINES = [line.split("#")[0] for line in (TEXT + TRAINING + SELECTING).splitlines()]
COMMANDS = [line for line in LINES if line.startswith("franklin run ")]
CONTESTS = [line for line in LINES if line.startswith("franklin select ")]
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


@pytest.mark.parametrize("command", CONTESTS)
def test_a_contest_composes(command: str) -> None:
    _, _, experiment, *overrides = shlex.split(command)
    words = spelt(overrides)
    assert networks(experiment, words, contest_settings(experiment, words))[0].keys() <= set(CANDIDATES)


def test_every_key_of_a_contest_is_named() -> None:
    section = SELECTING.split("## Every key")[1].split("## ")[0]
    assert [name for name in Contest.model_fields if f"`contest.{name}`" not in section] == ["name"]


def test_every_candidate_is_named() -> None:
    assert [name for name in CANDIDATES if f"`{name}`" not in SELECTING] == []


def test_all_that_a_place_may_say_is_named() -> None:
    section = TEXT.split("## Sources and joins")[1].split("## ")[0]
    assert [name for name in {*Place.model_fields, *Join.model_fields} if f"{name}:" not in section] == []
