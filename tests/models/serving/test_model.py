"""The logged model gives one answer: in Python without franklin, in Spark and over HTTP."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from conf.data import Task
from conf.errors import FranklinError
from models.evaluation.predictions import predict_split
from models.serving.holdout import Holdout, scores_of
from models.serving.predict import load_network
from tests.feature_sets import RADAR
from tests.models.trained import Trained

# Loads the model with nothing of franklin in reach but what the model brings.
ALONE = """
import importlib.abc, sys
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in ("conf", "models", "flows", "spark_jobs", "tests"):
            raise ModuleNotFoundError(f"franklin is not installed: {name}", name=name)
sys.meta_path.append(Refuse())
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in getattr(finder, "__module__", "")
                    and "editable" not in getattr(finder, "__name__", "")]
sys.path[:] = [entry for entry in sys.path if entry != sys.argv[4]]
import mlflow.pyfunc, pandas as pd
mlflow.pyfunc.load_model(sys.argv[1]).predict(pd.read_parquet(sys.argv[2])).to_parquet(sys.argv[3])
import models
assert models.__file__.startswith(sys.argv[1]), models.__file__
"""


def raw_rows(trained: Trained) -> pd.DataFrame:
    files = [pd.read_parquet(trained.feature_set / file.path) for file in trained.manifest.holdout]
    rows = pd.concat(files, ignore_index=True)
    return rows if trained.manifest.task == "sequence" else rows.drop(columns=trained.manifest.label.name)


@pytest.mark.parametrize(
    "task",
    ["binary", "sequence", *(pytest.param(task, marks=pytest.mark.soak) for task in ("multiclass", "regression"))],
)
def test_it_loads_where_franklin_is_not_and_equals_the_evaluation(
    task: Task, trained: dict[Task, Trained], logged: dict[Task, Path], tmp_path: Path
) -> None:
    one = trained[task]
    raw_rows(one).to_parquet(tmp_path / "rows.parquet")
    (tmp_path / "alone.py").write_text(ALONE, encoding="utf-8")
    root = str(Path(__file__).resolve().parents[3])
    arguments = [str(logged[task]), str(tmp_path / "rows.parquet"), str(tmp_path / "answer.parquet"), root]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-P", str(tmp_path / "alone.py"), *arguments]
    subprocess.run(command, check=True, cwd=tmp_path, env=environment)
    answer = pd.read_parquet(tmp_path / "answer.parquet")
    network = load_network(one.model, one.manifest, one.weights)
    test = predict_split(
        network, str(one.feature_set), one.manifest, "test", memory_bytes=2**20, told=lambda _rows: None
    )
    assert np.allclose(scores_of(answer, one.manifest), test.scores, atol=1e-5)
    if task in ("binary", "multiclass"):
        chosen = test.scores.argmax(axis=1) if task == "multiclass" else (test.scores > 0.5).astype(int)
        assert answer["prediction"].tolist() == [one.manifest.label.classes[code] for code in chosen]


def test_it_takes_rows_as_people_have_them(trained: dict[Task, Trained], logged: dict[Task, Path]) -> None:
    model = mlflow.pyfunc.load_model(str(logged["binary"]))
    rows = raw_rows(trained["binary"]).head(20)
    expected = model.predict(rows)
    whole = rows.assign(hour=rows["hour"].astype("int64"), extra="x")
    assert model.predict(whole[whole.columns[::-1]]).equals(expected)
    for row in json.loads(rows.to_json(orient="records")):
        one = pd.DataFrame([row])
        assert len(model.predict(one)) == 1
    nested = rows.assign(radar=[np.reshape(radar, RADAR).tolist() for radar in rows["radar"]])
    assert model.predict(nested).equals(expected)
    absent = {"distance": None, "hour": None, "wind": None, "carrier": "??", "origin": None}
    unknown = pd.DataFrame([absent | {"radar": [0] * 6}])
    assert 0 < model.predict(unknown)["probability"].item() < 1
    with pytest.raises(MlflowException, match="wind"):
        model.predict(rows.drop(columns="wind"))
    with pytest.raises(FranklinError, match="column radar takes arrays of 6 numbers: row 0 has 1"):
        model.predict(pd.DataFrame([absent | {"radar": [0.0]}]))


def test_of_a_text_it_says_how_likely_it_was_and_what_comes_next(
    trained: dict[Task, Trained], logged: dict[Task, Path]
) -> None:
    one, model = trained["sequence"], mlflow.pyfunc.load_model(str(logged["sequence"]))
    (row,) = raw_rows(one).tail(1)["text"]
    texts = ["t", "th", row[:9], row, f"under{row}", "§§"]
    answer = model.predict(pd.DataFrame({"text": texts}, index=range(3, 9)))
    assert answer.index.tolist() == [3, 4, 5, 6, 7, 8]
    assert answer["log_loss"].isna().tolist() == answer["accuracy"].isna().tolist() == [True, *[False] * 5]
    for place, text in enumerate(texts):  # whatever is beside it, and however much longer that is
        alone = model.predict(pd.DataFrame({"text": [text]})).iloc[0]
        assert alone["prediction"] == answer["prediction"].iloc[place]
        assert np.allclose(alone["probabilities"], answer["probabilities"].iloc[place], atol=1e-5)
        assert np.allclose(alone["log_loss"], answer["log_loss"].iloc[place], atol=1e-4, equal_nan=True)
    assert np.allclose([sum(said) for said in answer["probabilities"]], 1)
    classes = one.manifest.label.classes
    assert [classes[int(np.argmax(said))] for said in answer["probabilities"]] == answer["prediction"].tolist()
    assert answer["prediction"].iloc[1] == "e"
    assert answer["log_loss"].iloc[-1] > 5  # it has never seen such a thing
    for wrong in (None, "", 7):
        with pytest.raises((FranklinError, MlflowException)):
            model.predict(pd.DataFrame({"text": [wrong]}))


def test_requirements_are_pinned_and_few(logged: dict[Task, Path]) -> None:
    lines = (logged["binary"] / "requirements.txt").read_text(encoding="utf-8").split()
    names = {line.partition("==")[0]: line.partition("==")[2] for line in lines}
    assert names.keys() == {"mlflow", "torch", "numpy", "pandas", "pydantic", "fsspec"}
    assert all(version(name).partition("+")[0] == pinned for name, pinned in names.items())


def test_the_model_brings_no_code_that_it_does_not_need(logged: dict[Task, Path]) -> None:
    brought = {str(path.relative_to(logged["binary"] / "code")) for path in logged["binary"].rglob("code/**/*.py")}
    assert {"conf/manifest.py", "models/serving/model.py", "models/networks/__init__.py"} <= brought
    assert not any(name.startswith(("models/feeds", "models/evaluation", "conf/exchange")) for name in brought)


def test_the_holdout_has_the_labels_of_the_test_split(trained: dict[Task, Trained]) -> None:
    for one in trained.values():
        manifest = one.manifest
        holdout = Holdout.read(str(one.feature_set), manifest)
        files = [pd.read_parquet(one.feature_set / file.path) for file in manifest.splits["test"].files]
        stored = pd.concat(files)[manifest.label.name]
        expected = np.stack(list(stored))[:, 1:] if manifest.task == "sequence" else stored
        assert np.allclose(holdout.label, expected)


@pytest.mark.spark
@pytest.mark.soak
def test_spark_gives_the_same_answer(trained: dict[Task, Trained], logged: dict[Task, Path], tmp_path: Path) -> None:
    raw = raw_rows(trained["binary"]).head(300)
    raw.to_parquet(tmp_path / "rows.parquet")
    code = """
import sys
from pyspark.sql import SparkSession, functions as F
import mlflow.pyfunc
spark = (SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
         .config("spark.sql.shuffle.partitions", "1").getOrCreate())
rows = spark.read.parquet(sys.argv[2])
score = mlflow.pyfunc.spark_udf(spark, sys.argv[1], env_manager="local")
answer = rows.select("distance", score(F.struct(*rows.columns)).alias("answer")).select("distance", "answer.*")
answer.toPandas().to_parquet(sys.argv[3])
spark.stop()
"""
    arguments = [str(logged["binary"]), str(tmp_path / "rows.parquet"), str(tmp_path / "answer.parquet")]
    environment = os.environ | {"PYSPARK_PYTHON": sys.executable}
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, cwd=tmp_path, env=environment)
    answer = pd.read_parquet(tmp_path / "answer.parquet")
    expected = mlflow.pyfunc.load_model(str(logged["binary"])).predict(raw)
    assert np.allclose(answer["probability"], expected["probability"], atol=1e-5)
    assert answer["prediction"].tolist() == expected["prediction"].tolist()


@pytest.mark.server
def test_http_gives_the_same_answer(trained: dict[Task, Trained], logged: dict[Task, Path], tmp_path: Path) -> None:
    raw = raw_rows(trained["multiclass"]).head(100)
    expected = mlflow.pyfunc.load_model(str(logged["multiclass"])).predict(raw)
    with served(logged["multiclass"], tmp_path) as address:
        body = json.dumps({"dataframe_split": json.loads(raw.to_json(orient="split"))}).encode()
        request = urllib.request.Request(f"{address}/invocations", body, {"Content-Type": "application/json"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
            answer = pd.DataFrame(json.load(response)["predictions"])
    assert np.allclose(
        scores_of(answer, trained["multiclass"].manifest),
        scores_of(expected, trained["multiclass"].manifest),
        atol=1e-5,
    )
    assert answer["prediction"].tolist() == expected["prediction"].tolist()


@contextmanager
def served(model: Path, folder: Path) -> Iterator[str]:
    """Serve a model on a free port until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(model), "-p", str(port)]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with (folder / "serve.log").open("w", encoding="utf-8") as log:
        server = subprocess.Popen(
            [*command, "--env-manager", "local", "--workers", "1"],
            stdout=log,
            stderr=log,
            cwd=folder,
            env=os.environ | {"PATH": path},
            start_new_session=True,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        await_health(f"{address}/ping", server)
        yield address
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


def await_health(address: str, server: subprocess.Popen[bytes], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert server.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise TimeoutError(address)
