"""The profile: exact counts, the same from any partitions, and a page that shows values as they are."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from conf.manifest import SPLITS
from conf.profile import QUANTILES, NumberProfile, Numbers, Profile, WordProfile, Words, read_profile
from spark_jobs.profiling import numbers
from spark_jobs.profiling.bins import counted, edges
from spark_jobs.profiling.page import page
from spark_jobs.profiling.shift import by_chance, psi, shifted
from tests.spark_jobs.conftest import FILE_BYTES, PARTITIONS, Prepare, restored, table_data

ROWS = 600
COUNTS = st.lists(st.integers(0, 500), min_size=4, max_size=4).filter(any)


def people() -> pd.DataFrame:
    draw = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "income": draw.lognormal(10, 1, ROWS),
            "rooms": draw.integers(1, 6, ROWS).astype(float),
            "same": 7.0,
            "<b>town": draw.choice(["Ayr", 'O"Brien & <i>', "Čáslav"], ROWS, p=[0.6, 0.3, 0.1]),
            "met": pd.date_range("2020-01-01", periods=ROWS, freq="7h").astype(str),
            "day": pd.date_range("2020-01-01", periods=ROWS, freq="7h").strftime("%Y-%m-%d"),
            "y": draw.choice(["yes", "no"], ROWS),
        }
    )
    for name in ("income", "<b>town", "met"):
        frame.loc[draw.random(ROWS) < 0.1, name] = None
    frame.loc[frame.index[:20], "income"] = np.nan
    frame.loc[frame.index[-100:], "rooms"] = 9
    return frame


def data(folder: Path, **changes: Any) -> Any:
    people().to_parquet(folder / "people.parquet")
    by_date = {"by": "date", "column": "day", "validation_from": "2020-04-01", "test_from": "2020-05-15"}
    kinds = {"met": "time", "same": "numeric"}
    return table_data(folder / "people.parquet", columns=kinds, ignore=["day"], split=by_date, **changes)


@pytest.mark.spark
def test_counts_are_those_of_pandas(prepare: Prepare, tmp_path: Path) -> None:
    _, folder = prepare(data(tmp_path))
    found, frame = read_profile(str(folder)), people()
    ends = ["2020-01-01", "2020-04-01", "2020-05-15", "2021-01-01"]
    parts = {s: frame[(frame.day >= ends[i]) & (frame.day < ends[i + 1])] for i, s in enumerate(SPLITS)}
    assert found.rows == found.sampled == {split: len(part) for split, part in parts.items()}
    assert list(found.columns) == ["income", "rooms", "same", "<b>town", "met", "y"]
    for split, part in parts.items():
        for name in ("income", "rooms", "same", "met"):
            column, values = found.columns[name], part[name]
            assert isinstance(column, NumberProfile)
            if name == "met":
                values = (pd.to_datetime(values) - pd.Timestamp(0)).dt.total_seconds()
            check_numbers(column.splits[split], values)
        for name in ("<b>town", "y"):
            words = found.columns[name]
            assert isinstance(words, WordProfile)
            told, expected = words.splits[split], part[name].value_counts()
            assert dict(zip(words.values, told.counts, strict=True)) == expected.to_dict()
            assert (told.missing, told.distinct) == (part[name].isna().sum(), part[name].nunique())
    assert shifted(found, "rooms", "test")[1]
    assert not shifted(found, "same", "test")[1]
    shown = (folder / "profile.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;town" in shown
    assert "O&quot;Brien &amp; &lt;i&gt;" in shown
    assert "<b>town" not in shown.replace("<b>&lt;", "")
    assert not any(word in shown for word in ("<script", "http", "<i>", "url("))


def check_numbers(found: Numbers, values: "pd.Series[float]") -> None:
    assert (found.missing, found.distinct) == (values.isna().sum(), values.nunique())
    assert (found.low, found.high) == (values.min(), values.max())
    assert found.mean == pytest.approx(values.mean())
    assert found.deviation == pytest.approx(values.std(ddof=0), rel=1e-6, abs=1e-9)
    assert found.quantiles == pytest.approx(values.dropna().quantile(list(QUANTILES)).tolist())
    assert sum(found.histogram) == values.notna().sum()


@pytest.mark.spark
def test_it_does_not_depend_on_partitions(
    spark: SparkSession, prepare: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numbers, "SAMPLED_VALUES", 1_000)  # fewer rows than there are: those that their keys choose
    texts = []
    with restored(spark, PARTITIONS, FILE_BYTES):
        for partitions in ("1", "5"):
            spark.conf.set(PARTITIONS, partitions)
            spark.conf.set(FILE_BYTES, str(10**5 // int(partitions) ** 2))
            _, folder = prepare(data(tmp_path), name=partitions)
            told = json.loads((folder / "profile.json").read_text())
            columns = [told["columns"][name]["splits"] for name in ("income", "met")]
            sketched = [splits[split].pop("distinct") for splits in columns for split in SPLITS]
            assert all(count > 0 for count in sketched)
            texts.append(told)
    assert 0 < texts[0]["sampled"]["train"] < texts[0]["rows"]["train"]
    assert texts[0] == texts[1]


def test_a_page_of_hundreds_of_columns_is_small() -> None:
    values = np.random.default_rng(0).normal(size=2_000)
    between, each = edges(values)
    one = Numbers(
        missing=0,
        distinct=2_000,
        low=-4,
        high=4,
        mean=0,
        deviation=1,
        quantiles=[0.0] * 7,
        histogram=counted(values, between),
    )
    column = NumberProfile(kind="numeric", edges=between.tolist(), each=each, splits=dict.fromkeys(SPLITS, one))
    nothing = Numbers(
        missing=2_000, distinct=0, low=None, high=None, mean=None, deviation=None, quantiles=[], histogram=[0]
    )
    empty = NumberProfile(kind="time", edges=[], each=False, splits=dict.fromkeys(SPLITS, nothing))
    words = WordProfile(values=[], splits=dict.fromkeys(SPLITS, Words(missing=2_000, distinct=0, counts=[])))
    counts = dict.fromkeys(SPLITS, 2_000)
    columns = {**{f"x{i}": column for i in range(300)}, "empty": empty, "words": words}
    made = page(Profile(rows=counts, sampled=counts, columns=columns), "wide")
    assert len(made) < 300 * 3_000
    assert "No column shifts notably" in made


@given(COUNTS, COUNTS)
def test_the_index_is_symmetric_and_nought_for_equal_shares(before: list[int], after: list[int]) -> None:
    assert psi(before, after) == pytest.approx(psi(after, before))
    assert psi(before, after) >= 0
    assert psi(before, before) == 0


def test_samples_of_one_distribution_are_seldom_called_shifted() -> None:
    draw = np.random.default_rng(1)
    pairs = [draw.multinomial(200, np.full(20, 0.05), size=2).tolist() for _ in range(500)]
    assert sum(psi(*pair) > by_chance(*pair) for pair in pairs) < 15


@given(st.lists(st.floats(-1e9, 1e9) | st.integers(-50, 50).map(float), min_size=1, max_size=80))
def test_every_value_is_in_a_bin(values: list[float]) -> None:
    array = np.array(values)
    between, each = edges(array)
    assert sum(counted(array, between)) == len(values)
    assert (np.diff(between) > 0).all()
    assert each == (len(np.unique(array)) == len(between) + 1 <= 32)
