"""Splits: who goes where, what stays when rows are added, and what is never on two sides."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812

from conf.checks import Checks
from conf.kinds import NumericKind
from conf.splits import AnySplit
from spark_jobs.dataset import (
    KEY,
    QUARANTINED,
    ROW,
    SET_ASIDE,
    Dataset,
    first_reason,
    identity,
    observed,
    placeless,
    placing,
)
from spark_jobs.splitting import assign

pytestmark = pytest.mark.spark
ROWS, SHARES = 2000, {"validation": 0.2, "test": 0.1}


@pytest.fixture(scope="module")
def patients() -> pd.DataFrame:
    draw = np.random.default_rng(1)
    visits = pd.DataFrame({"visit": np.arange(ROWS, dtype=float), "patient": draw.integers(0, 300, ROWS).astype(str)})
    visits["ill"] = np.where(draw.random(ROWS) < 0.03, "yes", "no")
    visits.loc[3, "patient"] = None
    return visits


def fates(spark: SparkSession, rows: pd.DataFrame, **split: Any) -> "pd.Series[str]":
    """Where each visit goes; visit 7 breaks a rule."""
    how: AnySplit = TypeAdapter(AnySplit).validate_python(split)
    raw, read = observed(spark.createDataFrame(rows), Checks())
    placed = raw.withColumn(KEY, identity([F.col("visit"), F.col("patient"), F.col("ill")])).select(
        *(F.col(name) for name in rows.columns if name != "ill"),
        F.col("ill"),
        KEY,
        *placing(how, F.col("ill")),
        first_reason({"broken": F.col("visit") == 7} | placeless(how)).alias(QUARANTINED),
        F.lit(None).cast("string").alias(SET_ASIDE),
        F.lit(None).cast("string").alias(ROW),
    )
    dataset = Dataset(placed, read, {"visit": NumericKind()}, "ill", "binary", {})
    return assign(dataset, how).select("visit", "__fate").toPandas().set_index("visit")["__fate"].sort_index()


@pytest.mark.parametrize(
    "split", [{"by": "hash"}, {"by": "hash", "key": ["patient"]}, {"by": "group", "column": "patient"}]
)
def test_rows_stay_where_they_are_when_others_come(
    spark: SparkSession, patients: pd.DataFrame, split: dict[str, Any]
) -> None:
    before, after = fates(spark, patients[:900], **split, **SHARES), fates(spark, patients, **split, **SHARES)
    assert after.loc[before.index].equals(before)
    shares = after.value_counts(normalize=True)
    assert shares["validation"] == pytest.approx(0.2, abs=0.06)
    assert shares["test"] == pytest.approx(0.1, abs=0.05)


@pytest.mark.parametrize(
    "split",
    [
        {"by": "group", "column": "patient", **SHARES},
        {"by": "folds", "column": "patient", "folds": 4, "fold": 1, "test": 0.1},
        {"by": "hash", "key": ["patient"], **SHARES},
    ],
    ids=["group", "folds", "key"],
)
def test_no_group_is_on_two_sides(spark: SparkSession, patients: pd.DataFrame, split: dict[str, Any]) -> None:
    found = fates(spark, patients, **split)
    sides = found[found != "quarantine"].groupby(patients["patient"]).nunique()
    assert sides.max() == 1
    assert set(found[found == "quarantine"].index) == {3, 7}


def test_folds_part_all_but_the_same_test_rows(spark: SparkSession, patients: pd.DataFrame) -> None:
    found = [fates(spark, patients, by="folds", folds=3, fold=fold, test=0.2) for fold in range(3)]
    tested = [set(fold[fold == "test"].index) for fold in found]
    assert tested[0] == tested[1] == tested[2]
    validated = pd.concat([fold[fold == "validation"] for fold in found])
    assert validated.index.is_unique
    assert set(validated.index) | tested[0] == set(patients["visit"]) - {7}


def test_strata_have_the_same_shares(spark: SparkSession, patients: pd.DataFrame) -> None:
    found = fates(spark, patients, by="stratified", **SHARES)
    counts = pd.crosstab(patients["ill"], found)
    for _, stratum in counts.iterrows():
        good = stratum.sum() - stratum["quarantine"]
        assert stratum["test"] == round(0.1 * good)
        assert stratum["validation"] == round(0.2 * good)
