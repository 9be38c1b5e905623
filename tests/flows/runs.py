"""Runs that several tests look at, two at a time: they must not mind each other, and two cores take less for all."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.flights import WITHOUT_PAST
from tests.flows.command import franklin, variables_of
from tests.flows.fixtures import Up

Done = subprocess.CompletedProcess[str]
Runs = Callable[[str], Done]
AT_ONCE = 2
SHORT = ("trainer.max_epochs=8", "feed.batch_size=64")
README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
LINES = [line.split("#")[0].strip() for block in BLOCKS for line in block.splitlines()]
FRANKLIN = [line for line in LINES if re.match(r"franklin (run|config) \w+( |$)", line)]
(SELECT,) = [line for line in LINES if line.startswith("franklin select")]
(SELECTED,) = [line for line in FRANKLIN if "model=selected" in line]
(OWN_TABLE,) = [block for block in BLOCKS if "weather.yaml" in block]
CONTEST = ("blind=true", "contest.candidates=[majority,logistic_regression,ridge]", "budget_seconds=60")
CONTEST += ("contest.folds=3", "contest.sizes=[0.4]", "contest.trials=1")
QUICK = ("contest.candidates=[majority,ridge,lightgbm]", "budget_seconds=60", "contest.folds=2")
QUICK += ("contest.sizes=[0.3]", "contest.trials=0", "contest.segments=[dest]", "contest.rules=true")
DIGITS = ("feed=petastorm", "strategy=ddp", "trainer.max_epochs=4", "optimizer.warmup_share=0.1")


def named(table: Path, name: str) -> Path:
    """The same table as an experiment of another name."""
    return write(table.with_name(f"{name}.yaml"), table.read_text(encoding="utf-8"))


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def runs(
    request: pytest.FixtureRequest, up: Up, breast: Path, few_flights: Path, tmp_path_factory: pytest.TempPathFactory
) -> Runs:
    """What came of the runs that tests of this session have asked for by `pytest.mark.runs(NAME)`."""

    def of_readme(line: str) -> Done:
        """On one flight in 25, without what was known of others, and with short trainings."""
        words = shlex.split(line)[1:]
        few = [f"data.path={few_flights}", WITHOUT_PAST]
        short = [*few, "trainer.max_epochs=1", *(["tuner.trials=1"] * ("tuner=tpe" in words))]
        if line == SELECTED:
            contest = shlex.split(SELECT)[1:3]
            held = franklin(*contest, *QUICK, *few, home=up.home)
            assert held.returncode == 0, held.stderr
        return franklin(*[word for word in words if word != "--json"], *short, "--json", home=up.home)

    def own_table() -> Done:
        folder = tmp_path_factory.mktemp("weather")
        (folder / ".venv").symlink_to(sys.prefix)
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        variables = variables_of(up.home, PATH=path)
        script = OWN_TABLE.replace("franklin run weather.yaml", "franklin run weather.yaml trainer.max_epochs=3 --json")
        command = ["sh", "-e", "-c", script]
        return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)

    known: dict[str, Callable[[], Done]] = {
        **{line: partial(of_readme, line) for line in FRANKLIN},
        OWN_TABLE: own_table,
        "digits": lambda: franklin("run", "digits", *DIGITS, "--json", home=up.home),
        "contest": lambda: franklin("select", named(breast, "contest"), *CONTEST, "--json", home=up.home),
        "breast": lambda: franklin("run", breast, *SHORT, "--json", home=up.home),
    }
    asked = {mark.args[0] for item in request.session.items for mark in item.iter_markers("runs")}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        started = {name: pool.submit(known[name]) for name in known if name in asked}
    return lambda name: started[name].result()  # one that did not end is told to who looks at it
