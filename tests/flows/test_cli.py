"""What the command prints besides a run."""

import io
import json
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from conf.compose import groups
from conf.exchange import Estimate
from flows.display import Terminal
from flows.processes import Progress
from flows.summary import Summary
from flows.table import show
from tests.flows.command import franklin


def test_config_without_an_experiment_lists_every_choice(tmp_path: Path) -> None:
    printed = franklin("config", home=tmp_path).stdout
    for group, choices in groups().items():
        assert f"{group}: {', '.join(choices)}" in printed


def test_config_prints_a_json_schema(tmp_path: Path) -> None:
    schema = json.loads(franklin("config", "--schema", home=tmp_path).stdout)
    assert "strategy" in schema["properties"]


def test_doctor_finds_what_is_there_and_how_to_mend_what_is_not(tmp_path: Path) -> None:
    well = franklin("doctor", home=tmp_path)
    assert {line.split()[1] for line in well.stdout.splitlines()} >= {
        "Python",
        "Java",
        "memory",
        "allocator",
        "torch",
        "MLflow",
    }
    assert (well.returncode, well.stderr) == (0, "")
    ill = franklin("doctor", home=tmp_path, MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert ill.returncode == 1
    assert "http://127.0.0.1:9 does not answer" in ill.stdout
    assert "start it, or unset MLFLOW_TRACKING_URI" in ill.stdout
    assert ill.stderr == ""


def test_it_knows_its_version_and_both_ways_to_ask_for_help(tmp_path: Path) -> None:
    assert franklin("--version", home=tmp_path).stdout.strip() == version("franklin")
    assert "KEY=VALUE" in franklin("run", "-h", home=tmp_path).stdout


def test_the_table_says_words_with_brackets_as_they_are() -> None:
    estimate = Estimate(value=0.7, low=0.69, high=0.71)
    summary = Summary(
        run_id="abc",
        run_folder="/runs/1",
        experiment="mine",
        strategy="ddp",
        world_size=2,
        rows={"train": 7000, "validation": 15, "test": 15, "set_aside": 1, "quarantined": 2},
        metrics={"test": {"auc": estimate}},
        baseline={"test": {"auc": 0.5}},
        intervals_by={"test": "whole days, 30 of them"},
        model_uri="models:/mine/1",
        alias="challenger",
        decision="champion version 1 stays: it can't score these rows ([Errno 2] [/x])",
        seconds={"prepare": 1.5, "train": 2.0},
        processor_seconds={"prepare": 1.0, "train": 3.0},
        peak_memory_bytes={"prepare": 2**30, "train": 2**20},
        cached=["prepare"],
    )
    written = io.StringIO()
    show(summary, Console(file=written, width=100), mlflow=None)
    text = written.getvalue()
    assert "[Errno 2] [/x]" in text
    assert "7,000 train" in text
    assert "0.6900 to 0.7100" in text
    assert "reused" in text


def test_a_terminal_shows_a_bar_and_then_what_came_of_it() -> None:
    written = io.StringIO()
    terminal = Terminal(Console(file=written, width=120, force_terminal=True))
    with terminal.shown():
        terminal.start("train")
        terminal.progress(Progress(done=50, total=200, unit="steps", note="epoch 1/4 [x]"))
        terminal.bar.refresh()
        terminal.finish("4 epochs [/done]")
    assert "50 / 200 steps" in written.getvalue()
    assert "epoch 1/4 [x]" in written.getvalue()
    assert "4 epochs [/done]" in written.getvalue()


def test_what_is_said_is_wrapped_between_words_and_a_path_is_left_whole() -> None:
    written, path = io.StringIO(), f"/{'a' * 90}"
    line, table = (
        f"  quarantined: {'12 rows of a reason, ' * 6}they are in {path}",
        "strategy  seconds\nddp             3",
    )
    Terminal(Console(file=written, width=80, force_terminal=True, color_system=None)).say(line)
    lines = written.getvalue().splitlines()
    assert lines[-1].strip() == path
    assert all(len(line) <= 80 for line in lines[:-1])
    assert [line[:4].isspace() for line in lines] == [False, *[True] * (len(lines) - 1)]
    plain = io.StringIO()
    for each in (line, table):
        Terminal(Console(file=plain, width=80)).say(each)
    assert plain.getvalue() == f"{line}\n{table}\n"
