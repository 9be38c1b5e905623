"""Every encoding: fitted on train alone, by its rule, and the same in Spark as inside the logged model."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from conf.columns import RESERVED_CODES, Categorical, Hashed, Quantile, Target
from conf.data import Task
from conf.errors import FranklinError
from conf.manifest import Manifest
from spark_jobs.encoding import categories
from tests.spark_jobs.conftest import Prepare, flights_data, table_data
from tests.spark_jobs.test_parity import check_parity

pytestmark = pytest.mark.spark
ROWS = 800
KINDS: dict[str, Any] = {
    "income": {"kind": "numeric", "scaling": "quantile"},
    "town": {"kind": "categorical", "encoding": "target", "smoothing": 5},
    "street": {"kind": "categorical", "encoding": "hash", "buckets": 7},
    "hour": {"kind": "cyclic", "period": 24},
    "met": "time",
    "shop": "categorical",
}


def people(task: Task) -> pd.DataFrame:
    draw = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "income": draw.lognormal(10, 2, ROWS),
            "town": draw.choice(["Ayr", "Bath", "Čáslav", "Dover"], ROWS, p=[0.6, 0.2, 0.15, 0.05]),
            "street": [f"street {i}" for i in draw.integers(0, 300, ROWS)],
            "hour": draw.integers(0, 24, ROWS),
            "met": pd.date_range("2019-12-30 23:30:01", periods=ROWS, freq="7h").astype(str),
            "shop": draw.choice(["north", "south"], ROWS),
            "row": np.arange(ROWS),
        }
    )
    for name in ("income", "town", "street", "hour", "met", "shop"):
        frame.loc[draw.random(ROWS) < 0.05, name] = None
    frame.loc[:4, "shop"] = ["once", "never", "twice", "twice", "thrice"]
    noise = draw.normal(size=ROWS) + (frame["town"] == "Ayr")
    words = np.digitize(noise, [0, 1]) if task == "multiclass" else (noise > 0.5).astype(int)
    frame["y"] = noise if task == "regression" else np.array(["low", "middle", "high"])[words]
    return frame


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_spark_and_numpy_encode_alike(prepare: Prepare, tmp_path: Path, task: Task) -> None:
    people(task).to_parquet(tmp_path / "people.parquet")
    data = table_data(tmp_path / "people.parquet", columns=KINDS, task=task, ignore=["row"], rare_below=3)
    manifest, folder = prepare(data)
    check_parity(folder, manifest)
    if task == "binary":
        check_rules(manifest, folder)


def check_rules(manifest: Manifest, folder: Path) -> None:
    """The encodings by their definitions, on train."""
    train = pq.read_table(folder / "train").to_pandas()
    columns = {column.name: column for column in manifest.columns}
    shares, hashed, shops, towns = (columns[name] for name in ("income", "street", "shop", "town"))
    assert isinstance(shares, Quantile)
    assert isinstance(hashed, Hashed)
    assert isinstance(shops, Categorical)
    assert isinstance(towns, Target)
    known = train[train["income__missing"] == 0]["income"]
    assert (known.mean(), known.std()) == (pytest.approx(0, abs=0.05), pytest.approx(1, abs=0.02))
    assert set(train["street"]) <= {1, *range(RESERVED_CODES, RESERVED_CODES + 7)}
    assert sorted(shops.vocabulary) == ["north", "south"]
    assert set(shops.rare or []) <= {"once", "never", "twice", "thrice"}
    assert np.hypot(train["hour__cycle_sin"], train["hour__cycle_cos"]).round(5).isin([0, 1]).all()
    assert {f"met__{cycle}_{part}" for cycle in ("day", "week", "year") for part in ("sin", "cos")} <= set(train)
    assert towns.vocabulary[0] == "Ayr"
    assert train["town"].nunique() == 5 * 5  # values, the missing one among them, times folds
    assert towns.means[0][0] == pytest.approx(train["town"].max(), abs=0.15)


def test_out_of_fold_means_do_not_know_the_row(prepare: Prepare, tmp_path: Path) -> None:
    """A column of as many words as rows says all about its own label, and nothing when encoded."""
    draw = np.random.default_rng(4)
    frame = pd.DataFrame(
        {"word": [f"w{i}" for i in range(ROWS)], "x": draw.normal(size=ROWS), "y": draw.normal(size=ROWS)}
    )
    frame.to_parquet(tmp_path / "words.parquet")
    kinds = {"word": {"kind": "categorical", "encoding": "target", "smoothing": 0}}
    _, folder = prepare(table_data(tmp_path / "words.parquet", columns=kinds))
    assert set(pq.read_table(folder / "train")["word"].to_pylist()) == {0.0}


def test_a_vocabulary_keeps_the_most_frequent(
    prepare: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(categories, "RARE_KEPT", 3)
    words = ["a"] * 300 + ["b"] * 200 + ["c"] * 100 + [f"d{i // 2}" for i in range(200)]
    frame = pd.DataFrame({"word": words, "x": np.random.default_rng(5).normal(size=ROWS)})
    frame["y"] = frame["x"] > 0
    frame.to_parquet(tmp_path / "words.parquet")
    manifest, folder = prepare(
        table_data(tmp_path / "words.parquet", columns={"word": "categorical"}, vocabulary_most=2)
    )
    word = next(column for column in manifest.columns if column.name == "word")
    assert isinstance(word, Categorical)
    assert word.vocabulary == ["a", "b"]
    assert word.rare is None
    check_parity(folder, manifest)


def test_two_columns_of_one_encoded_name_are_refused(prepare: Prepare, tmp_path: Path) -> None:
    frame = people("regression").rename(columns={"income": "hour__cycle_sin"})
    frame.to_parquet(tmp_path / "people.parquet")
    data = table_data(tmp_path / "people.parquet", columns={"hour": KINDS["hour"]})
    with pytest.raises(FranklinError, match="two columns would be called 'hour__cycle_sin' when encoded"):
        prepare(data)


@pytest.mark.soak
def test_all_encodings_on_all_flights(prepare: Prepare) -> None:
    kinds = {
        "dest": {"kind": "categorical", "encoding": "target"},
        "plane_model": {"kind": "categorical", "encoding": "hash", "buckets": 50},
        "distance": {"kind": "numeric", "scaling": "quantile"},
        "departure_minute": {"kind": "cyclic", "period": 1440},
    }
    # A fortnight is learned from, so the parity is held over all other flights.
    split = {"by": "date", "column": "date", "validation_from": "2013-01-15", "test_from": "2013-01-16"}
    manifest, folder = prepare(flights_data(None, columns=kinds, split=split))
    assert manifest.splits["test"].rows > 310_000
    check_parity(folder, manifest)
