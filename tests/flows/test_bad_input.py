"""Every mistake ends with a non-zero exit, one line that names it, a FAILED run and nothing half-written."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.flows.command import FRANKLIN, complaint, franklin, summary
from tests.flows.fixtures import Up
from tests.flows.runs import SHORT, Runs

pytestmark = [pytest.mark.e2e, pytest.mark.server]


def absent_label(folder: Path) -> list[str]:
    pd.DataFrame({"a": range(50), "b": [1, 2] * 25}).to_csv(folder / "t.csv", index=False)
    return ["label: bb"]


def constant_label(folder: Path) -> list[str]:
    pd.DataFrame({"a": range(50), "b": [1] * 50}).to_csv(folder / "t.csv", index=False)
    return ["label: b"]


def no_rows(folder: Path) -> list[str]:
    (folder / "t.csv").write_text("a,b\n")
    return ["label: b"]


def missing_file(_: Path) -> list[str]:
    return ["label: b"]


def corrupt_parquet(folder: Path) -> list[str]:
    (folder / "t.parquet").write_bytes(b"PAR1 this is no Parquet file PAR1")
    return ["label: b", "path: t.parquet"]


MISTAKES: dict[Callable[[Path], list[str]], tuple[str, ...]] = {
    absent_label: ("bb", "did you mean", "b"),
    constant_label: ("'b'", "same in every row"),
    no_rows: ("t.csv has no rows",),
    missing_file: ("t.csv",),
    corrupt_parquet: ("t.parquet",),
}


@pytest.mark.runs("breast")
def test_a_mistake_that_training_finds(up: Up, breast: Path, runs: Runs) -> None:
    experiment = up.client.get_run(summary(runs("breast"))["run_id"]).info.experiment_id
    before = {run.info.run_id for run in up.client.search_runs([experiment])}
    assert "nowhere" in complaint(franklin("run", breast, *SHORT, "feed.transform=nowhere:noisy", home=up.home))
    new = [run for run in up.client.search_runs([experiment]) if run.info.run_id not in before]
    (run,) = [run for run in new if "mlflow.parentRunId" not in run.data.tags]
    assert run.info.status == "FAILED"
    assert "FAILED" in {each.info.status for each in new if each is not run}


@pytest.mark.soak
@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_a_mistake_in_the_data(up: Up, tmp_path: Path, mistake: Callable[[Path], list[str]]) -> None:
    keys = mistake(tmp_path)
    path = [] if any(key.startswith("path") for key in keys) else ["path: t.csv"]
    own = tmp_path / f"{mistake.__name__}.yaml"
    own.write_text("\n".join([*keys, *path]))
    line = complaint(franklin("run", own, home=up.home))
    for part in MISTAKES[mistake]:
        assert part in line
    experiment = up.client.get_experiment_by_name(mistake.__name__)
    runs = up.client.search_runs([experiment.experiment_id])
    assert {run.info.status for run in runs} == {"FAILED"}
    left = [file.name for file in (up.home / "feature_sets").iterdir() if mistake.__name__ in file.name]
    assert [name for name in left if not name.endswith(".lock")] == []


def test_more_ranks_than_the_machine_can_hold(up: Up, breast: Path) -> None:
    before = sorted((up.home / "runs").glob("*"))
    done = franklin("run", breast, "strategy=ddp", "strategy.world_size=512", "feed.batch_size=512", home=up.home)
    assert "strategy.world_size=512: this machine has" in complaint(done)
    assert sorted((up.home / "runs").glob("*")) == before  # told before anything starts


@pytest.mark.soak
def test_a_disk_that_fills_while_the_feature_set_is_written(up: Up, tmp_path: Path) -> None:
    """A home on a disk of two megabytes, in a mount namespace of the command's own."""
    home = tmp_path / "small"
    home.mkdir()
    private = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    if subprocess.run([*private, f"mount -t tmpfs tmpfs {home}"], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a tmpfs in a namespace of one's own")
    rows = pd.DataFrame(np.random.default_rng(1).normal(size=(20_000, 20))).add_prefix("x")
    rows.assign(label=rows["x0"] > 0).to_csv(tmp_path / "wide.csv", index=False)
    (tmp_path / "wide.yaml").write_text("path: wide.csv\nlabel: label\n")
    command = [*FRANKLIN, "run", str(tmp_path / "wide.yaml"), f"home={home}", f"tracking.uri={up.mlflow}"]
    script = f'mount -t tmpfs -o size=2m tmpfs {home}; "$@"; status=$?; ls -A {home}/feature_sets; exit $status'
    variables = {**os.environ, "PREFECT_API_URL": f"{up.prefect}/api"}
    done = subprocess.run(
        [*private, script, "sh", *command], env=variables, capture_output=True, text=True, check=False
    )
    assert f"the disk of {home}/feature_sets is full" in complaint(done)
    assert done.stdout.split() == []
    experiment = up.client.get_experiment_by_name("wide")
    assert {run.info.status for run in up.client.search_runs([experiment.experiment_id])} == {"FAILED"}


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["flights_dealy"], "unknown experiment 'flights_dealy': did you mean 'flights_delay'?"),
        (["flights_delay", "strategy=dpd"], "unknown strategy 'dpd': did you mean 'ddp'?"),
        (
            ["flights_delay", "trainer.max_epoch=3"],
            "unknown key 'trainer.max_epoch': did you mean 'trainer.max_epochs'?",
        ),
        (["flights_delay", "resume=nowhere"], "nowhere: there is no such folder; name a run's"),
        (["flights_delay", "tracking.uri=http://127.0.0.1:9"], "the MLflow server http://127.0.0.1:9 can't be reached"),
    ],
)
def test_a_mistake_in_the_words(up: Up, words: list[str], line: str) -> None:
    assert line in complaint(franklin("run", *words, home=up.home))


def test_a_prefect_server_that_does_not_answer(up: Up) -> None:
    done = franklin("run", "flights_delay", home=up.home, PREFECT_API_URL="http://127.0.0.1:9/api")
    assert "the Prefect server http://127.0.0.1:9/api can't be reached" in complaint(done)


def test_debug_shows_the_traceback(up: Up) -> None:
    done = franklin("run", "nowhere", "--debug", home=up.home)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
