"""Raw rows are encoded exactly as the feature set is, and what can't be encoded is named."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from conf.columns import MISSING, RESERVED_CODES, UNKNOWN, Categorical, Numeric
from conf.errors import FranklinError
from conf.manifest import Label, Manifest
from models.feeds.feed import Feed
from models.feeds.stored import Stored
from models.serving.encode import encode
from tests.feature_sets import write_feature_set

SMALL = Manifest(
    name="small",
    task="regression",
    label=Label(name="y", classes=[], prior=[], mean=0, scale=1),
    columns=[
        Numeric(name="n", mean=2.0, scale=4.0, indicator=True),
        Categorical(name="c", vocabulary=["b", "a", "7"]),
        Numeric(name="m", mean=0.0, scale=1.0, indicator=False),
    ],
    splits={},
    holdout=[],
    rows_in=0,
    quarantined={},
    set_aside={},
    inferred={},
    example=[],
    inputs=[],
    fingerprint="none",
    created="2026-01-01",
)


def test_raw_rows_are_encoded_as_the_feature_set_is(tmp_path: Path) -> None:
    manifest = write_feature_set(tmp_path / "set", "binary", 2000)
    raw = pd.concat([pd.read_parquet(tmp_path / "set" / file.path) for file in manifest.holdout])
    assert raw["wind"].isna().any()
    assert raw["origin"].isna().any()
    assert (raw["carrier"] == "ZZ").any()
    feed = Feed(Stored(str(tmp_path / "set"), manifest, "test", 2**20), batch_size=64, shuffle=False)
    numeric, categorical = encode(raw, manifest)
    assert torch.equal(numeric, torch.cat([batch.numeric for batch in feed]))
    assert torch.equal(categorical, torch.cat([batch.categorical for batch in feed]))


@given(
    st.lists(
        st.tuples(
            st.none() | st.just(float("nan")) | st.floats(-1e6, 1e6) | st.integers(-1000, 1000),
            st.none() | st.sampled_from(["a", "b", "7", "never seen", ""]),
        ),
        min_size=1,
    )
)
def test_every_row_is_encoded_by_the_rule(rows: list[tuple[float | None, str | None]]) -> None:
    frame = pd.DataFrame({"extra": 1, "c": [c for _, c in rows], "m": 0, "n": pd.Series([n for n, _ in rows])})
    numeric, categorical = encode(frame, SMALL)
    for (n, c), numbers, code in zip(rows, numeric.tolist(), categorical[:, 0].tolist(), strict=True):
        missing = n is None or np.isnan(n)
        assert numbers == [0.0 if missing else np.float32((n - 2.0) / 4.0), float(missing), 0.0]  # type: ignore[operator]
        vocabulary = ["b", "a", "7"]
        expected = MISSING if c is None else vocabulary.index(c) + RESERVED_CODES if c in vocabulary else UNKNOWN
        assert code == expected


@pytest.mark.parametrize("dtype", ["int64", "int32", "Int64", "Float64", "object", "float32"])
def test_numbers_may_have_any_type(dtype: str) -> None:
    frame = pd.DataFrame({"n": pd.Series([2, 6], dtype=dtype), "c": ["a", None], "m": [0, 1]})
    numeric, _ = encode(frame, SMALL)
    assert numeric.tolist() == [[0, 0, 0], [1, 0, 1]]


def test_categories_may_come_as_numbers_or_pandas_categories() -> None:
    frame = pd.DataFrame({"n": [0, 0], "c": [7, 8], "m": [0, 0]})
    assert encode(frame, SMALL)[1].tolist() == [[5], [UNKNOWN]]
    frame["c"] = pd.Categorical(["a", None])
    assert encode(frame, SMALL)[1].tolist() == [[4], [MISSING]]


def test_a_missing_column_and_a_wrong_one_are_named() -> None:
    with pytest.raises(FranklinError, match="the rows lack c, m; the model takes n, c, m"):
        encode(pd.DataFrame({"n": [1.0]}), SMALL)
    with pytest.raises(FranklinError, match="column n must hold numbers"):
        encode(pd.DataFrame({"n": ["far"], "c": ["a"], "m": [1]}), SMALL)
