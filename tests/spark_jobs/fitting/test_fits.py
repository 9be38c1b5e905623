"""The service that fits in Spark: it agrees with scikit-learn, keeps the order of rows, and a failure is a result."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from pyspark.sql import SparkSession
from sklearn import linear_model
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import roc_auc_score

from conf.compose import compose
from conf.contests import CandidateName
from conf.data import Task
from conf.manifest import WHERE, Manifest
from conf.selecting import ContestRequest, Fit, FitTask
from models.candidates import named
from models.candidates.boosted import HELD
from models.candidates.brought import bring
from models.candidates.engines import IN_SPARK
from models.candidates.inspark import BOOSTED, SparkFits
from models.candidates.learning import parts
from models.candidates.rows import Columns, Rows
from models.evaluation.bootstrap import estimates
from models.evaluation.metrics import judge, main_metric
from spark_jobs.fitting import fit
from spark_jobs.fitting.fit import Fits
from tests.feature_sets import write_feature_set
from tests.spark_jobs.conftest import SPARK

pytestmark = pytest.mark.spark
ROWS = 1200
SMALL: dict[CandidateName, dict[str, float]] = {
    "linear_regression": {},
    "logistic_regression": {},
    "lasso": {},
    "decision_tree": {"leaf_rows": 50},
    "random_forest": {"trees": 7, "depth": 6},
    "gradient_boosting": {"leaves": 3},
    "xgboost": {"leaves": 7},
}


def read(folder: Path, manifest: Manifest, *splits: Any) -> Rows:
    tables = [pq.read_table(folder / file.path) for split in splits for file in manifest.splits[split].files]

    def column(name: str) -> NDArray[Any]:
        return np.concatenate([table[name].to_numpy() for table in tables])

    codes = [each.name for each in manifest.categorical]
    columns = Columns(
        task=manifest.task,
        numbers=tuple(manifest.numeric),
        codes=tuple(codes),
        cardinalities=tuple(each.cardinality for each in manifest.categorical),
        classes=tuple(manifest.label.classes),
        where=manifest.where,
    )
    return Rows(
        columns,
        np.stack([column(name) for name in manifest.numeric], axis=1),
        np.stack([column(name) for name in codes], axis=1),
        column(manifest.label.name).astype(np.float64),
        column(WHERE).astype(np.int64) if manifest.where else None,
    )


def request_of(folder: Path, run_folder: Path) -> ContestRequest:
    settings = compose("flights_delay")
    return ContestRequest(
        answer=run_folder / "answer",
        feature_set=str(folder),
        run_folder=run_folder,
        experiment="small",
        seed=1,
        contest=settings.contest,
        split=settings.data.split,
        bootstrap=10,
        cores=2,
        networks=[],
        spark=SPARK,
        spark_fits=[sys.executable, "-m", "spark_jobs.fits"],
    )


def task_of(candidate: CandidateName, folder: Path, learn: Any, held: Any, **changes: Any) -> FitTask:
    np.save(folder / "learn.npy", np.asarray(learn, np.int64))
    if held is not None:
        np.save(folder / "held.npy", np.asarray(held, np.int64))
    told = {
        "candidate": candidate,
        "phase": "fold",
        "fold": 0,
        "seed": 1,
        "values": {},
        "learn": folder / "learn.npy",
        "held": None if held is None else folder / "held.npy",
        "scores": folder / f"{candidate}.npy",
        "model": None,
        "memory_bytes": 2**31,
        "timeout_seconds": 300.0,
        "threads": 2,
    }
    return FitTask.model_validate(told | changes)


def one_hot(rows: Rows) -> NDArray[np.float64]:
    levels = [np.eye(size)[rows.codes[:, i]] for i, size in enumerate(rows.columns.cardinalities)]
    return np.concatenate([rows.numbers.astype(np.float64), *levels], axis=1)


@pytest.fixture
def places() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    drawn = np.random.default_rng(3).permutation(ROWS + ROWS // 4)
    return drawn[:1000], drawn[1000:]  # neither is in order


def test_values_are_those_of_scikit_learn(
    spark: SparkSession, tmp_path: Path, places: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> None:
    manifest = write_feature_set(tmp_path / "set", "regression", ROWS, where="day")
    pool, (learn, held) = read(tmp_path / "set", manifest, "train", "validation"), places
    fits = Fits(spark, request_of(tmp_path / "set", tmp_path))
    rows, label = one_hot(pool), pool.label
    scale = manifest.label.scale
    peers = {
        "linear_regression": linear_model.LinearRegression(),
        "ridge": linear_model.Ridge(alpha=50.0),
        "lasso": linear_model.Lasso(alpha=1.0 / np.sqrt(1000) * scale),
    }
    for name, peer in peers.items():
        values = {"linear_regression": {}, "ridge": {"strength": 50.0}, "lasso": {"strength": 1.0}}[name]
        fit = fits.do(task_of(name, tmp_path, learn, held, values=values | {"level_rows": 1}))  # type: ignore[arg-type]
        assert fit.failure is None
        expected = peer.fit(rows[learn], label[learn]).predict(rows[held])
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"), expected, atol=0.03 * scale)
        assert fit.seconds > 0
        assert fit.processor_seconds > 0
    for name, constant in (("mean", label[learn].mean()), ("median", np.median(label[learn]))):
        assert fits.do(task_of(name, tmp_path, learn, held)).failure is None  # type: ignore[arg-type]
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"), constant)


@pytest.mark.soak
def test_a_forest_errs_as_one_of_scikit_learn(
    spark: SparkSession, tmp_path: Path, places: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> None:
    manifest = write_feature_set(tmp_path / "set", "regression", ROWS, where="day")
    pool, (learn, held) = read(tmp_path / "set", manifest, "train", "validation"), places
    fits, label = Fits(spark, request_of(tmp_path / "set", tmp_path)), pool.label
    forest = RandomForestRegressor(100, max_features=0.3, min_samples_leaf=5, random_state=1)
    codes = np.concatenate([pool.numbers, pool.codes], axis=1)
    error = np.sqrt(np.mean((forest.fit(codes[learn], label[learn]).predict(codes[held]) - label[held]) ** 2))
    assert fits.do(task_of("random_forest", tmp_path, learn, held)).failure is None
    ours = np.sqrt(np.mean((np.load(tmp_path / "random_forest.npy") - label[held]) ** 2))
    assert ours == pytest.approx(error, rel=0.15)


@pytest.mark.soak
@pytest.mark.parametrize("task", ["regression", "binary"])
@pytest.mark.parametrize("name", sorted(IN_SPARK))
def test_both_engines_agree_within_noise(name: CandidateName, task: Task, spark: SparkSession, tmp_path: Path) -> None:
    """Each with its own settings: what Spark's fit reaches is in the interval of what the one here does."""
    candidate = named(name)
    if task not in candidate.tasks:
        pytest.skip(f"{name} is not for {task}")
    manifest = write_feature_set(tmp_path / "set", task, 4 * ROWS)
    pool = read(tmp_path / "set", manifest, "train", "validation")
    drawn = np.random.default_rng(3).permutation(len(pool))
    learn, held = np.sort(drawn[: len(pool) // 2]), np.sort(drawn[len(pool) // 2 :])
    _, stop = parts(pool.take(learn), HELD, 1)
    np.save(tmp_path / "stop.npy", learn[stop])
    given = task_of(name, tmp_path, learn, held, stop=tmp_path / "stop.npy" if name in BOOSTED else None)
    assert Fits(spark, request_of(tmp_path / "set", tmp_path)).do(given).failure is None
    here = candidate.fit(pool.take(learn), seed=1, values={}, threads=2).predict(pool.take(held))
    label, metric = pool.label[held], main_metric(task).name
    ours = estimates(judge(task, here, label), len(held), 200, 1)[metric]
    theirs = judge(task, np.load(given.scores), label)(np.ones(len(held)))[metric]
    assert ours.low <= theirs <= ours.high, (ours, theirs)


@pytest.mark.soak
@pytest.mark.parametrize("name", ["random_forest", "gradient_boosting", "xgboost"])
def test_trees_do_no_worse_than_a_line(
    name: CandidateName, spark: SparkSession, tmp_path: Path, places: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> None:
    manifest = write_feature_set(tmp_path / "set", "binary", ROWS)
    pool, test = (read(tmp_path / "set", manifest, *s) for s in (("train", "validation"), ("test",)))
    learn, fits = places[0], Fits(spark, request_of(tmp_path / "set", tmp_path))
    peer = linear_model.LogisticRegression(C=1.0, max_iter=1000).fit(one_hot(pool)[learn], pool.label[learn])
    np.save(tmp_path / "stop.npy", learn[::10])
    final = task_of(name, tmp_path, learn, None, stop=tmp_path / "stop.npy")
    assert fits.do(final).failure is None
    least = roc_auc_score(test.label, peer.predict_proba(one_hot(test))[:, 1]) - 0.05
    assert roc_auc_score(test.label, np.load(final.scores)) > least


def test_chances_are_those_of_scikit_learn_and_a_model_is_kept(
    spark: SparkSession, tmp_path: Path, places: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> None:
    manifest = write_feature_set(tmp_path / "set", "binary", ROWS)
    pool, (learn, held) = read(tmp_path / "set", manifest, "train", "validation"), places
    test = read(tmp_path / "set", manifest, "test")
    fits = Fits(spark, request_of(tmp_path / "set", tmp_path))
    peer = linear_model.LogisticRegression(C=1.0, max_iter=1000).fit(one_hot(pool)[learn], pool.label[learn])
    expected = peer.predict_proba(one_hot(pool)[held])[:, 1]
    task = task_of("logistic_regression", tmp_path, learn, held, values={"level_rows": 1}, model=tmp_path / "model")
    assert fits.do(task).failure is None
    np.testing.assert_allclose(np.load(task.scores), expected, atol=0.03)
    assert (tmp_path / "model" / "arrays.npz").exists()
    least = roc_auc_score(test.label, peer.predict_proba(one_hot(test))[:, 1]) - 0.05
    final = task_of("decision_tree", tmp_path, learn, None)
    assert fits.do(final).failure is None
    assert roc_auc_score(test.label, np.load(final.scores)) > least - 0.1
    late = task_of("gradient_boosting", tmp_path, learn, held, timeout_seconds=0.5)
    assert fits.do(late).failure == "it took longer than 0.5 seconds"
    unknown = fits.do(task_of("lightgbm", tmp_path, learn, held))
    assert "Spark has no lightgbm" in str(unknown.failure)
    assert fits.do(task_of("majority", tmp_path, learn, held)).failure is None


@pytest.fixture
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "ROUNDS_OF_FEW", 5)


@pytest.mark.usefixtures("few_rounds")
@pytest.mark.parametrize(
    ("task", "names"),
    [
        ("binary", tuple(SMALL)),
        ("regression", ("random_forest", "gradient_boosting", "xgboost")),
        ("multiclass", ("logistic_regression", "random_forest")),
        pytest.param("regression", tuple(SMALL), marks=pytest.mark.soak),
        pytest.param("multiclass", tuple(SMALL), marks=pytest.mark.soak),
    ],
)
def test_what_spark_has_fitted_answers_the_same_without_it(
    task: Task,
    names: tuple[CandidateName, ...],
    spark: SparkSession,
    tmp_path: Path,
    places: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> None:
    manifest = write_feature_set(tmp_path / "set", task, ROWS)
    pool, test = (read(tmp_path / "set", manifest, *s) for s in (("train", "validation"), ("test",)))
    fits, learn = Fits(spark, request_of(tmp_path / "set", tmp_path)), places[0]
    if task == "multiclass":  # the last class has no row
        learn = learn[pool.label[learn] < len(manifest.label.classes) - 1]
    for name in names:
        if task not in named(name).tasks or (task == "multiclass" and name == "gradient_boosting"):
            continue
        final = task_of(name, tmp_path, learn, None, values=SMALL[name], model=tmp_path / "models" / name)
        assert fits.do(final).failure is None
        assert final.model
        assert [each.name for each in final.model.iterdir()] == ["model.ubj" if name == "xgboost" else "arrays.npz"]
        bring(name, final.model, test.columns)
        found = named(name).load(final.model, test.columns).predict(test)
        np.testing.assert_allclose(found, np.load(final.scores), rtol=1e-4, atol=1e-6, err_msg=name)
        assert {each.name for each in final.model.iterdir()}.isdisjoint({"arrays.npz", "spark"})


@pytest.mark.soak
def test_the_service_answers_judges_and_ends_with_its_input_or_its_parent(tmp_path: Path) -> None:
    manifest = write_feature_set(tmp_path / "set", "binary", 400)
    pool, test = (read(tmp_path / "set", manifest, *s) for s in (("train", "validation"), ("test",)))
    request = request_of(tmp_path / "set", tmp_path)
    found: list[Fit] = []
    with SparkFits(request.spark_fits, request, pool, test) as fits:
        fits.do([task_of("logistic_regression", tmp_path, range(300), range(300, 500))], found.append)
        (fit,) = found
        assert fit.failure is None
        assert fit.metrics["auc"] > 0.8
        assert fit.scores == "logistic_regression.npy"
        final = task_of("decision_tree", tmp_path, range(500), None, model=tmp_path / "models" / "decision_tree")
        fits.do([final], found.append)
        assert found[1].failure is None
        kept = named("decision_tree").load(tmp_path / "models" / "decision_tree", test.columns)
        np.testing.assert_allclose(kept.predict(test), np.load(final.scores))
        service = psutil.Process().children()[-1]
    assert not service.is_running()
    (tmp_path / "request.json").write_text(request.model_dump_json())
    task = task_of("gradient_boosting", tmp_path, range(400), range(400, 500))
    parent = (
        "import subprocess, sys, time; p = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, text=True); "
        "print(p.pid, flush=True); p.stdin.write(sys.argv[1]); p.stdin.flush(); time.sleep(600)"
    )
    command = [sys.executable, "-c", parent, f"{task.model_dump_json()}\n", *request.spark_fits]
    started = subprocess.Popen([*command, str(tmp_path / "request.json")], stdout=subprocess.PIPE, text=True)
    assert started.stdout
    left = psutil.Process(int(started.stdout.readline()))
    while not any(child.name() == "java" for child in left.children(recursive=True)):
        time.sleep(0.1)
    every = [left, *left.children(recursive=True)]
    started.send_signal(signal.SIGKILL)
    started.wait()
    _, alive = psutil.wait_procs(every, timeout=60)
    assert not alive
    assert json.loads((tmp_path / "request.json").read_text())["experiment"] == "small"
