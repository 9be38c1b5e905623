"""Joins: one row stays one row, and a row that found none or several says so."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from conf.compose import compose
from conf.errors import FranklinError
from spark_jobs.sources.joins import joined
from spark_jobs.sources.reading import read
from tests.spark_jobs.conftest import Prepare, table_data

pytestmark = pytest.mark.spark
ROWS = 300


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Visits to shops (two unknown, one known twice), which are in towns (one unknown)."""
    draw = np.random.default_rng(1)
    visits = pd.DataFrame({"spent": draw.normal(size=ROWS).round(4), "shop": [f"{i % 10:02d}" for i in range(ROWS)]})
    visits["y"] = draw.choice(["no", "yes"], ROWS)
    visits.to_csv(tmp_path / "visits.csv", index=False)
    shops = pd.DataFrame({"id": [0, 1, 2, 3, 4, 5, 6, 7, 7], "town": [*"abcabcabz"], "size": np.arange(9) * 1.5})
    shops.to_parquet(tmp_path / "shops.parquet")
    towns = [{"name": name, "at": {"north": north}} for name, north in (("a", 50.5), ("b", 51.5))]
    (tmp_path / "towns.jsonl").write_text("".join(json.dumps(town) + "\n" for town in towns))
    return tmp_path


def test_each_row_gets_the_one_row_with_its_key(prepare: Prepare, shop: Path) -> None:
    joins = [
        {"name": "shop", "path": f"{shop}/shops.parquet", "on": {"shop": "id"}, "unmatched": "quarantine"},
        {"name": "town", "path": f"{shop}/towns.jsonl", "on": {"shop_town": "name"}},
    ]
    lenient = {"quarantine_most": 0.5}
    manifest, folder = prepare(table_data(shop / "visits.csv", joins=joins, checks=lenient))
    assert [column.name for column in manifest.columns] == ["spent", "shop", "shop_town", "shop_size", "town_at.north"]
    assert manifest.rows_in == ROWS
    assert manifest.quarantined == {"shop has several rows for it": 30, "shop has no row for it": 60}
    bad = [json.loads(row) for row in pq.read_table(folder / "quarantine")["row"].to_pylist()]
    assert {row["shop"] for row in bad} == {"07", "08", "09"}
    assert set(bad[0]) == {"spent", "shop", "y"}
    held = pq.read_table(folder / "holdout").to_pandas()
    assert (held["shop_size"] == held["shop"].astype(int) * 1.5).all()
    assert (held["town_at.north"].isna() == (held["shop_town"] == "c")).all()
    assert len(manifest.inputs) == 3
    # What a lookup table says moves no row to another split.
    _, alone = prepare(table_data(shop / "visits.csv"), name="alone")
    assert set(held["spent"]) < set(pq.read_table(alone / "holdout")["spent"].to_pylist())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"on": ["shop"]}, r"data\.joins\.s\.on in .*shops\.parquet: there is no column 'shop'"),
        ({"on": {"shpo": "id"}}, r"data\.joins\.s\.on: there is no column 'shpo'; did you mean 'shop'\?"),
        ({"path": "shop.parquet"}, r"shop\.parquet does not exist; did you mean .*shops\.parquet\?"),
        ({"path": "torn.jsonl", "on": {"shop": "name"}}, r"1 lines of .*torn\.jsonl are no rows .*; mend them"),
        ({"path": "dates.parquet", "on": {"id": "day"}}, r"'id' is bigint, and 'day' in .* is timestamp; write both"),
    ],
)
def test_what_does_not_fit_is_named(spark: SparkSession, shop: Path, change: dict[str, str], message: str) -> None:
    (shop / "torn.jsonl").write_text('{"name": "a", "x": 1}\n{"name": "b", "x"\n')
    pd.DataFrame({"day": pd.date_range("2020-01-01", periods=2)}).to_parquet(shop / "dates.parquet")
    change = {"path": "shops.parquet", "on": {"shop": "id"}} | change
    data = table_data(shop / "visits.csv", joins=[{"name": "s"} | change | {"path": f"{shop}/{change['path']}"}])
    rows = read(spark, data).selectExpr("*", "1L as id")
    with pytest.raises(FranklinError, match=message):
        joined(spark, rows, data.joins)


def test_a_yaml_says_joins_whose_paths_count_from_it(shop: Path) -> None:
    # `on` is true to YAML.
    (shop / "own.yaml").write_text(
        "path: visits.csv\nlabel: y\njoins:\n"
        "  - {name: shop, path: shops.parquet, on: {shop: id}}\n"
        "  - {name: far, path: 's3a://bucket/x', on: [shop]}\n"
        "  - {name: base, path: 'jdbc:postgresql://host/db', table: t, on: [shop], options: {password: 'env:PW'}}\n"
    )
    joins = compose(str(shop / "own.yaml")).data.joins
    assert [join.path for join in joins] == [f"{shop}/shops.parquet", "s3a://bucket/x", "jdbc:postgresql://host/db"]
    assert joins[0].keys == {"shop": "id"}
