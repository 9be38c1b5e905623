"""Rules: bad rows are quarantined with their reasons, a bad dataset stops the job before it writes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from pydantic import ValidationError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from conf.checks import Checks, Freshness, Rule
from conf.data import Data
from conf.errors import FranklinError
from spark_jobs.checks import numbered, repeated
from spark_jobs.dataset import KEY, first_reason
from tests.spark_jobs.conftest import PARTITIONS, Prepare, restored, table_data

pytestmark = pytest.mark.spark
ROWS = 200


@pytest.fixture
def visits(tmp_path: Path) -> Path:
    draw = np.random.default_rng(2)
    frame = pd.DataFrame(
        {
            "visit": [f"v{i}" for i in range(ROWS)],
            "age": draw.integers(0, 100, ROWS).astype(str),
            "land": draw.choice(["DE", "FR"], ROWS),
            "day": [f"2020-{1 + i % 12:02d}-{1 + i % 28:02d}" for i in range(ROWS)],
            "ill": draw.choice(["no", "yes"], ROWS),
        }
    )
    frame.loc[0:3, "age"] = ["-1", "130", "12.5", "many"]
    frame.loc[4, "age"] = None
    frame.loc[5:6, "land"] = ["XX", None]
    frame.loc[7:8, "day"] = ["2019-12-31", "soon"]
    frame.loc[9, "visit"] = "V9"
    frame.loc[10:12, "visit"] = ["v13", None, None]
    frame.to_csv(tmp_path / "visits.csv", index=False)
    return tmp_path / "visits.csv"


RULES = {
    "columns": {
        "age": {"type": "integer", "least": 0, "most": 120, "not_null": True},
        "land": {"allowed": ["DE", "FR"]},
        "day": {"least": "2020-01-01"},
        "visit": {"matches": "v[0-9]+"},
    },
    "unique": [["visit"]],
}


def test_bad_rows_are_quarantined_with_their_reasons(prepare: Prepare, visits: Path) -> None:
    kinds = {"visit": "categorical", "day": "time", "age": "numeric"}
    manifest, folder = prepare(table_data(visits, label="ill", columns=kinds, checks=RULES))
    assert manifest.quarantined == {
        "'age' is above 120.0": 1,
        "'age' is below 0.0": 1,
        "'age' is missing": 1,
        "'age' is no integer": 1,
        "'age' is no number": 1,
        "'day' is below 2020-01-01": 1,
        "'day' is no date": 1,
        "'land' is none of the allowed values": 1,
        "'visit' does not match v[0-9]+": 1,
        "'visit' is there more than once": 1,
    }
    quarantined = pq.read_table(folder / "quarantine").to_pandas().set_index("reason")
    assert '"age":"130"' in quarantined.loc["'age' is above 120.0", "row"]
    assert manifest.rows_in == ROWS == sum(split.rows for split in manifest.splits.values()) + 10


def test_of_rows_with_one_key_the_first_good_one_stays(prepare: Prepare, visits: Path) -> None:
    """A copy that breaks a rule, has no label or is of another day pushes no good row out."""
    frame = pd.read_csv(visits, dtype=str)[20:].reset_index(drop=True)
    bad, silent, old = (frame.iloc[[i]].copy() for i in range(3))
    bad["age"], silent["ill"], old["day"] = "999", None, "2019-06-01"
    pd.concat([bad, silent, old, frame]).to_csv(visits, index=False)
    checks = {"columns": {"age": {"most": 120}}, "unique": [["visit"]]}
    window = {"day": "day", "window": "2020-01-01..2020-12-31"}
    kinds = {"visit": "categorical"}
    manifest, _ = prepare(table_data(visits, label="ill", columns=kinds, checks=checks, **window))
    assert manifest.quarantined == {"'age' is above 120.0": 1}
    assert manifest.set_aside == {"no label": 1, "outside data.window": 1}


@pytest.mark.parametrize(
    ("split", "column", "value", "reason"),
    [
        ({"by": "group", "column": "age", "validation": 0.2, "test": 0.2}, "age", None, "no value in 'age'"),
        (
            {"by": "hash", "key": ["land", "day"], "validation": 0.2, "test": 0.2},
            "day",
            None,
            "no value in 'land' or 'd",
        ),
        pytest.param(
            {"by": "stratified", "column": "land", "validation": 0.2, "test": 0.2},
            "land",
            None,
            "no value in 'land'",
            marks=pytest.mark.soak,
        ),
        (
            {"by": "date", "column": "day", "validation_from": "2020-06-01", "test_from": "2020-10-01"},
            "day",
            "soon",
            "no date in 'day'",
        ),
        ({"by": "hash", "validation": 0.2, "test": 0.2}, "age", "1e39", "'age' is beyond every 32-bit float"),
    ],
    ids=["group", "key", "stratum", "date", "number"],
)
def test_a_copy_that_has_no_place_pushes_no_good_row_out(
    prepare: Prepare, visits: Path, *, split: dict[str, Any], column: str, value: str | None, reason: str
) -> None:
    frame = pd.read_csv(visits, dtype=str)[20:].reset_index(drop=True)
    copies = frame[:20].assign(**{column: value})  # of twenty pairs, in some the copy is the first
    pd.concat([frame, copies]).to_csv(visits, index=False)
    kinds = {"visit": "categorical", "age": "numeric"}
    checks = {"unique": [["visit"]]}
    manifest, folder = prepare(table_data(visits, label="ill", columns=kinds, checks=checks, split=split))
    assert [(why[: len(reason)], rows) for why, rows in manifest.quarantined.items()] == [(reason, 20)]
    assert None not in pq.read_table(folder / "quarantine")["row"].to_pylist()


def numbers(spark: SparkSession, rows: list[tuple[int, str | None, str]], unique: list[list[str]]) -> DataFrame:
    frame = spark.createDataFrame(rows, f"{KEY} long, a string, b string")
    return numbered(frame, Checks(unique=unique), F.lit(True))


def test_a_copy_by_one_key_is_no_row_to_be_copied_by_another(spark: SparkSession) -> None:
    rows = [(1, "a1", "b1"), (2, "a1", "b2"), (3, "a2", "b2"), (4, None, "b3"), (5, None, "b3")]
    checks = Checks(unique=[["a"], ["b"]])
    found = numbers(spark, rows, checks.unique).withColumn("why", first_reason(repeated(checks))).orderBy(KEY)
    again = " is there more than once"
    assert [row.why for row in found.collect()] == [None, f"'a'{again}", None, None, f"'b'{again}"]


def test_rows_without_a_key_are_not_one_tasks_work(spark: SparkSession) -> None:
    with restored(spark, "spark.sql.adaptive.enabled", PARTITIONS):
        spark.conf.set("spark.sql.adaptive.enabled", "false")  # it would put so few rows together
        spark.conf.set(PARTITIONS, "2")
        found = numbers(spark, [(i, None, "b") for i in range(100)], [["a"]])
        tasks = {row[0] for row in found.select(F.spark_partition_id(), "__copy_0").collect()}
        assert tasks == {0, 1}


def windowed(visits: Path, days: dict[int, str | None], **changes: Any) -> Data:
    """Rows of January to December, some of other days, of which the newest 60 days are wanted."""
    frame = pd.read_csv(visits, dtype=str)[20:].reset_index(drop=True)
    for place, day in days.items():
        frame.loc[place, "day"] = day
    frame.to_csv(visits, index=False)
    kinds = {"visit": "categorical", "age": "numeric"}
    return table_data(visits, label="ill", **{"columns": kinds, "day": "day", "window": "60d"} | changes)


def test_a_row_of_no_day_is_quarantined_where_there_is_a_window(prepare: Prepare, visits: Path) -> None:
    checks = {"columns": {"age": {"most": 120}}}
    manifest, _ = prepare(windowed(visits, {0: None, 1: "soon"}, window="2020-01-01..2020-12-31", checks=checks))
    assert (manifest.quarantined, manifest.set_aside) == ({"no date in 'day'": 2}, {})
    without, _ = prepare(windowed(visits, {0: None, 1: "soon"}, window=None), name="without")
    assert without.quarantined == {}


def test_a_day_in_the_future_makes_no_window(prepare: Prepare, visits: Path) -> None:
    with pytest.raises(FranklinError, match=r"data\.window=60d: the newest day is 2206-01-01, in the future; mend it"):
        prepare(windowed(visits, {0: "2206-01-01"}))
    with pytest.raises(FranklinError, match="the newest day is 9999-12-31, in the future"):
        prepare(windowed(visits, {0: "12206-01-01"}))


def test_the_newest_day_is_of_rows_that_keep_the_rules(prepare: Prepare, visits: Path) -> None:
    data = windowed(visits, {0: "2206-01-01"}, checks={"columns": {"day": {"most": "2020-12-31"}}})
    manifest, _ = prepare(data)
    days = pd.to_datetime(pd.read_csv(visits)["day"][1:])
    assert manifest.quarantined == {"'day' is above 2020-12-31": 1}
    assert manifest.set_aside == {"outside data.window": (days <= days.max() - pd.Timedelta(days=60)).sum()}


def test_rows_outside_the_window_are_set_aside_whatever_else_is_wrong(prepare: Prepare, visits: Path) -> None:
    frame = pd.read_csv(visits, dtype=str)[20:].reset_index(drop=True)
    frame.loc[:99, ["day", "age"]] = ["2019-06-01", "999"]
    frame.to_csv(visits, index=False)
    checks = {"columns": {"age": {"most": 120}}, "quarantine_most": 0.01}
    window = {"day": "day", "window": "2020-01-01..2020-12-31"}
    manifest, _ = prepare(table_data(visits, label="ill", checks=checks, **window))
    assert (manifest.quarantined, manifest.set_aside) == ({}, {"outside data.window": 100})


@pytest.mark.parametrize(
    ("checks", "message"),
    [
        ({**RULES, "quarantine_most": 0.01}, "10 of 200 rows break a rule .* data.checks.quarantine_most=0.01 allows"),
        (
            {"freshness": {"column": "day", "days": 30}},
            "the newest 'day' is 2020-12-28, before .*data.checks.freshness",
        ),
        (
            {"columns": {"agee": {"not_null": True}}},
            "data.checks.columns: there is no column 'agee'; did you mean 'age'",
        ),
        ({"unique": [["land", "dya"]]}, "data.checks.unique: there is no column 'dya'"),
    ],
)
def test_a_bad_dataset_stops_the_job(prepare: Prepare, visits: Path, checks: dict[str, Any], message: str) -> None:
    with pytest.raises(FranklinError, match=message):
        prepare(table_data(visits, label="ill", checks=checks))
    assert not (visits.parent / "made").exists()


def test_fresh_rows_and_as_many_as_last_time_pass(prepare: Prepare, visits: Path) -> None:
    frame = pd.read_csv(visits)
    frame.loc[20, "day"] = str(datetime.now(UTC).date() - timedelta(days=29))
    frame.to_csv(visits, index=False)
    checks = {"freshness": {"column": "day", "days": 30}, "rows_change": 0.1}
    manifest, _ = prepare(table_data(visits, label="ill", checks=checks), name="mine-1")
    assert manifest.newest == datetime.now(UTC).date() - timedelta(days=29)
    frame[:181].to_csv(visits, index=False)
    prepare(table_data(visits, label="ill", checks=checks), name="mine-2")
    frame[:120].to_csv(visits, index=False)
    with pytest.raises(
        FranklinError, match=r"120 rows, and 181 last time: more than data.checks.rows_change=0.1 allows"
    ):
        prepare(table_data(visits, label="ill", checks=checks), name="mine-3")


def test_allowed_words_are_as_they_were_written() -> None:
    assert Rule.model_validate({"allowed": ["DE", 1, 1.5]}).allowed == ["DE", 1, 1.5]
    with pytest.raises(ValidationError, match="YAML reads words such as no and yes as truth values"):
        Rule.model_validate(yaml.safe_load("allowed: [DE, FR, NO]"))


def test_rows_that_were_fresh_are_stale_one_day() -> None:
    freshness, today = Freshness(column="day", days=3), datetime.now(UTC).date()
    freshness.judge(today - timedelta(days=3))
    with pytest.raises(FranklinError, match=r"the newest 'day' is .*, before .*: bring newer rows"):
        freshness.judge(today - timedelta(days=4))


@pytest.mark.parametrize("rule", [{"least": 2, "most": 1}, {"least": 1, "most": "2020-01-01"}, {"matches": "("}])
def test_a_rule_that_nothing_can_keep_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Rule.model_validate(rule)
