"""Networks as candidates: launched trainings on rows, real ones."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.compose import groups
from conf.data import Task
from conf.errors import FranklinError
from conf.exchange import TrainRequest
from conf.manifest import Manifest, SplitName, read_manifest
from conf.schema import Choices
from conf.selecting import Entrant
from models.candidates.networks import SPACES, TITLES, NetworkCandidate, scaled
from models.candidates.rows import Columns, Rows
from models.candidates.view import write_view
from models.evaluation.metrics import judge, main_metric, trivial
from models.feeds.feed import Feed
from models.feeds.stored import Stored
from tests.feature_sets import write_feature_set
from tests.models import launch
from tests.models.networks.cases import SMALL, without_dropout

SHORT: dict[str, Any] = {"max_epochs": 4, "patience": 4}


def read(folder: Path, manifest: Manifest, split: SplitName) -> Rows:
    """Rows of a split as candidates see them."""
    table = pa.concat_tables([pq.read_table(folder / file.path) for file in manifest.splits[split].files])
    tensors = {column.name: np.stack(table[column.name].to_numpy()) for column in manifest.tensors}
    flat = [(tensors[column.name] - column.mean) / column.scale for column in manifest.tensors]
    numbers = np.stack([table[name].to_numpy() for name in manifest.numeric], axis=1)
    codes = np.stack([table[column.name].to_numpy() for column in manifest.categorical], axis=1)
    columns = Columns(
        task=manifest.task,
        numbers=(*manifest.numeric, *(f"{c.name}[{i}]" for c in manifest.tensors for i in range(c.size))),
        codes=tuple(column.name for column in manifest.categorical),
        cardinalities=tuple(column.cardinality for column in manifest.categorical),
        classes=tuple(manifest.label.classes),
    )
    label = table[manifest.label.name].to_numpy().astype(np.float64)
    return Rows(columns, np.concatenate([numbers, *flat], axis=1).astype(np.float32), codes.astype(np.int32), label)


def entrant(folder: Path, name: Any, home: Path, ranks: int = 1, **changes: Any) -> Entrant:
    wanted = launch.request(folder, home, "ddp" if ranks > 1 else "single", ranks, **SHORT)
    return Entrant(name=name, train=wanted.model_copy(update={"model": without_dropout(SMALL[name]), **changes}))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    folder = tmp_path_factory.mktemp("rows") / "set"
    return folder, write_feature_set(folder, "binary", rows=1600, tensor=True)


def score(scores: Any, rows: Rows) -> float:
    task = rows.columns.task
    return judge(task, scores, rows.label)(np.ones(len(rows)))[main_metric(task).name]


def test_a_view_holds_the_rows_as_networks_get_them(made: Any, tmp_path: Path) -> None:
    folder, manifest = made
    rows = read(folder, manifest, "train")
    view = write_view(tmp_path, manifest, {"train": rows.take(np.arange(40, 90))})
    assert read_manifest(str(tmp_path)) == view
    assert (view.splits["train"].rows, view.splits["test"].rows) == (50, 0)
    ours, theirs = (
        next(iter(Feed(Stored(str(where), of, "train", 2**20), batch_size=size, shuffle=False)))
        for where, of, size in ((tmp_path, view, 50), (folder, manifest, 1600))
    )
    assert np.array_equal(ours.numeric, theirs.numeric[40:90])
    assert np.array_equal(ours.categorical, theirs.categorical[40:90])
    assert np.array_equal(ours.label, theirs.label[40:90])
    np.testing.assert_allclose(ours.tensors[0], theirs.tensors[0][40:90], rtol=1e-6)


def test_a_network_learns_rows_the_same_with_the_same_seed_and_survives_saving(made: Any, tmp_path: Path) -> None:
    folder, manifest = made
    train, test = (read(folder, manifest, split) for split in ("train", "test"))
    candidate = NetworkCandidate(entrant(folder, "tabm", tmp_path / "home"))
    assert candidate.suits(train.columns)
    found = [
        candidate.fit(train, seed=3, values={"model.hidden": [8], "trainer.max_epochs": 3}, threads=1) for _ in range(2)
    ]
    scores = found[0].predict(test)
    assert scores.shape == (len(test),)
    assert np.array_equal(scores, found[1].predict(test))
    assert score(scores, test) > 0.8 > score(trivial("binary", manifest.label, test.label), test)
    (tmp_path / "kept").mkdir()
    found[0].save(tmp_path / "kept")
    assert np.array_equal(candidate.load(tmp_path / "kept", train.columns).predict(test), scores)
    assert [*(tmp_path / "home").iterdir()] == []  # what a fit writes goes with it
    one_by_one = np.concatenate([found[0].predict(test.take(np.array([place]))) for place in range(5)])
    np.testing.assert_allclose(one_by_one, scores[:5], rtol=1e-4)


@pytest.mark.soak
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("name", SMALL)
def test_every_network_beats_the_trivial_predictor(name: str, task: Task, tmp_path: Path) -> None:
    manifest = write_feature_set(tmp_path / "set", task, rows=1600, tensor=True)
    train, test = (read(tmp_path / "set", manifest, split) for split in ("train", "test"))
    recipe = {"optimizer": shipped("realmlp", "optimizer")} if name == "realmlp" else {}
    candidate = NetworkCandidate(entrant(tmp_path / "set", name, tmp_path / "home", **recipe))
    fitted = candidate.fit(train, seed=1, values={}, threads=1)
    ours = score(fitted.predict(test), test)
    theirs = score(trivial(task, manifest.label, test.label), test)
    assert ours > theirs + 0.2 if main_metric(task).higher_is_better else ours < 0.8 * theirs


def shipped(model: str, group: str) -> Any:
    from conf.compose import compose

    return getattr(compose("flights_delay", [f"model={model}"]), group)


def trainings() -> Iterator[psutil.Process]:
    """Agents that this process has started."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if "models.launch" in process.cmdline():
                yield process


def test_a_killed_training_is_a_line(made: Any, tmp_path: Path) -> None:
    folder, manifest = made
    rows = read(folder, manifest, "train")

    def kill() -> None:
        while not (found := list(trainings())):
            time.sleep(0.01)
        found[0].kill()

    killer = Thread(target=kill)
    killer.start()
    with pytest.raises(FranklinError, match=r"^the training of MLP ended with exit status -9: ") as error:
        NetworkCandidate(entrant(folder, "mlp", tmp_path, ranks=2)).fit(rows, seed=1, values={}, threads=1)
    killer.join()
    assert "\n" not in str(error.value)


def test_a_network_of_two_ranks_is_trained_by_the_launcher(made: Any, tmp_path: Path) -> None:
    folder, manifest = made
    train, test = (read(folder, manifest, split) for split in ("train", "test"))
    fitted = NetworkCandidate(entrant(folder, "mlp", tmp_path, ranks=2)).fit(train, seed=1, values={}, threads=2)
    assert score(fitted.predict(test), test) > 0.8


def test_settings_that_there_are_not_are_a_line(made: Any, tmp_path: Path) -> None:
    folder, manifest = made
    rows, candidate = read(folder, manifest, "train"), NetworkCandidate(entrant(folder, "mlp", tmp_path))
    for values, line in (
        ({"model.width": 3}, r"^MLP has no setting 'model\.width'$"),
        ({"model.dropout": 2.0}, r"^MLP: model\..*dropout: must be less than 1"),
    ):
        with pytest.raises(FranklinError, match=line):
            candidate.fit(rows, seed=1, values=values, threads=1)
    with pytest.raises(FranklinError, match=r"^MLP takes 10 rows at least, and there are 3$"):
        candidate.fit(rows.take(np.arange(3)), seed=1, values={}, threads=1)


FIT = """
import os, sys
from models.candidates.networks import run_training
from conf.exchange import TrainRequest
from pathlib import Path
request = TrainRequest.model_validate_json(Path(sys.argv[1]).read_text())
run_training("MLP", request, request.run_folder)
"""


def test_a_training_ends_with_the_fit_that_wanted_it(made: Any, tmp_path: Path) -> None:
    folder, _ = made
    request = launch.request(folder, tmp_path / "run", "ddp", 2, max_epochs=10_000, patience=10_000)
    (tmp_path / "asked.json").write_text(request.model_dump_json(), encoding="utf-8")
    with subprocess.Popen([sys.executable, "-c", FIT, str(tmp_path / "asked.json")]) as fit:
        launch.wait_for_checkpoint(tmp_path / "run", 0)
        started = psutil.Process(fit.pid).children(recursive=True)
        os.kill(fit.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(started, timeout=20)
    assert len(started) > 1
    assert alive == []


def of_size(feature_set: Path, batch_size: int, **trainer: Any) -> TrainRequest:
    wanted = launch.request(feature_set, feature_set, **trainer)
    return wanted.model_copy(update={"feed": wanted.feed.model_copy(update={"batch_size": batch_size})})


def test_a_training_on_few_rows_has_smaller_batches_and_more_epochs(made: Any) -> None:
    train = of_size(made[0], 1024, max_epochs=3, patience=3)
    sizes = []
    for rows in (200_000, 20_000, 2_000, 500, 20):
        small = scaled(train, rows, 200_000)
        sizes.append((small.feed.batch_size, small.trainer.max_epochs, small.trainer.patience))
    assert sizes == [(1024, 3, 3), (512, 15, 4), (32, 10, 3), (32, 37, 10), (32, 50, 13)]
    cycles = train.model_copy(update={"optimizer": train.optimizer.model_copy(update={"schedule": "coslog4"})})
    assert scaled(cycles, 500, 200_000).trainer.patience == 37


def test_every_network_for_tables_has_a_title_and_a_space_of_its_settings() -> None:
    assert {*TITLES} == {*SPACES} == {*SMALL} == {*groups()["model"]} - {"decoder", "selected"}
    for name, space in SPACES.items():
        for key, values in space.items():
            group, _, setting = key.partition(".")
            section = shipped_anywhere(name, group)
            assert hasattr(section, setting)
            assert isinstance(values, Choices) or isinstance(getattr(section, setting), float)


def shipped_anywhere(name: str, group: str) -> Any:
    from conf.compose import compose

    return getattr(compose("digits", [f"model={name}"]), group)


def test_the_work_of_a_network_is_its_steps_and_not_its_rows(made: Any, tmp_path: Path) -> None:
    candidate = NetworkCandidate(entrant(made[0], "mlp", tmp_path))
    few, more, many = (candidate.work(rows) for rows in (100, 1_000, 100_000))
    assert few < more < 4 * few  # as many steps, nearly
    assert many > 5 * more
