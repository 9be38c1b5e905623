"""Flights: what is known at the scheduled departure, and every flight accounted for."""

import shutil
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from conf.errors import FranklinError
from conf.manifest import SPLITS, Manifest
from spark_jobs.sources.flights import NEEDED, OUTCOMES, flights
from spark_jobs.sources.locate import flights_files
from tests.spark_jobs.conftest import Prepare, flights_data

pytestmark = pytest.mark.spark


@pytest.fixture
def copy(flights_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(flights_folder, tmp_path / "copy"))


def edit(folder: Path, name: str, change: object) -> None:
    file = folder / f"{name}.csv"
    frame = pd.read_csv(file, dtype=str, keep_default_na=False)
    change(frame).to_csv(file, index=False)  # type: ignore[operator]


def test_what_is_known_after_the_scheduled_departure_is_said() -> None:
    """What features make of it, of other flights and as far as it had happened, is for `test_flight_past`."""
    after = {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"}
    assert not (set(NEEDED["flights"]) & after) - set(OUTCOMES)


def test_every_flight_is_accounted_for(flights_set: tuple[Manifest, Path], flights_folder: Path) -> None:
    manifest, _ = flights_set
    raw = pd.read_csv(flights_folder / "flights.csv")
    cancelled, diverted = raw.dep_time.isna(), raw.dep_time.notna() & raw.arr_delay.isna()
    assert manifest.rows_in == len(raw)
    assert manifest.set_aside == {"cancelled": cancelled.sum(), "diverted": diverted.sum()}
    month = raw.month[raw.arr_delay.notna()]
    rows = [(month <= 8).sum(), month.isin([9, 10]).sum(), (month >= 11).sum()]
    assert [manifest.splits[split].rows for split in SPLITS] == rows


def test_the_label_is_an_arrival_over_fifteen_minutes_late(
    flights_set: tuple[Manifest, Path], flights_folder: Path
) -> None:
    manifest, folder = flights_set
    raw = pd.read_csv(flights_folder / "flights.csv")
    late = (raw.arr_delay > 15) & (raw.month >= 11)
    assert manifest.label.classes == ["false", "true"]
    assert pq.read_table(folder / "test")["late"].to_numpy().sum() == late.sum()
    assert pq.read_table(folder / "holdout")["late"].to_pylist().count("true") == late.sum()


def test_rows_that_break_a_check_are_quarantined_with_the_reason(prepare: Prepare, copy: Path) -> None:
    def spoil(frame: pd.DataFrame) -> pd.DataFrame:
        good = frame[(frame.dep_time != "NA") & (frame.air_time != "NA")].index
        frame.loc[good[0], "distance"] = "-3"
        frame.loc[good[1], "month"] = "13"
        frame.loc[good[2], "sched_dep_time"] = "2575"
        frame.loc[good[3], "carrier"] = "NA"
        frame.loc[good[4], "air_time"] = "99999"
        return pd.concat([frame, frame.loc[[good[5]]]])

    edit(copy, "flights", spoil)
    with (copy / "flights.csv").open("a") as file:
        file.write("2013,1,1\n")
    edit(copy, "airlines", lambda f: pd.concat([f, f[f.carrier == "HA"]]))
    manifest, folder = prepare(flights_data(copy, label="air_time"))
    hawaiian = manifest.quarantined.pop("airlines has several rows for it")
    assert hawaiian > 0
    assert manifest.quarantined == {
        "flight is there more than once": 1,
        "impossible date": 1,
        "impossible distance": 1,
        "impossible scheduled time": 1,
        "impossible time in the air": 1,
        "line does not fit the header": 1,
        "no carrier, flight number, origin, destination or hour": 1,
    }
    kept = pq.read_table(folder / "quarantine").to_pandas()
    assert len(kept) == hawaiian + 7
    assert kept.set_index("reason").row["line does not fit the header"] == "2013,1,1"
    assert '"distance":"-3"' in kept.set_index("reason").row["impossible distance"]


@pytest.mark.soak
def test_a_bad_copy_pushes_no_good_flight_out(prepare: Prepare, copy: Path) -> None:
    """Neither one that breaks a rule, whatever it says of its outcome, nor one of another day or without a line."""
    good = pd.read_csv(copy / "flights.csv", dtype=str, keep_default_na=False)
    good = good[(good.dep_time != "NA") & (good.air_time != "NA")][:1000].reset_index(drop=True)
    first = {"dep_time": "0", "arr_delay": "-99", "air_time": "1"}  # the earliest of its copies
    bad = [
        good.iloc[[0]].assign(**first, distance="-3"),
        good.iloc[[1]].assign(**first, sched_dep_time="2575"),
        good.iloc[[2]].assign(**first, dest="B\ufffdS"),
        good.iloc[[3]].assign(**first, tailnum="NA"),
        good.iloc[[4]].assign(**first, year="2012"),
        good.iloc[[5]].assign(dep_time="0", air_time="-5"),
        good.iloc[[6]].assign(**first, distance="101"),
    ]
    edit(copy, "flights", lambda _: pd.concat([good, *bad]))
    checks = {"columns": {"distance": {"allowed": sorted({int(each) for each in good.distance})}}}
    split = {"by": "hash", "key": ["tailnum"], "validation": 0.2, "test": 0.2}
    window = {"day": "date", "window": "2013-01-01..2013-12-31"}
    manifest, _ = prepare(flights_data(copy, split=split, checks=checks, **window))
    assert manifest.quarantined == {
        "impossible distance": 1,
        "impossible scheduled time": 1,
        "impossible time in the air": 1,
        "line has bytes that are no text in its encoding": 1,
        "flight is there more than once": 1,  # without a tail number, by which rows are split
        "'distance' is none of the allowed values": 1,
    }
    assert manifest.set_aside == {"outside data.window": 1}


def test_joins_and_derived_values_are_right(spark: SparkSession, flights_folder: Path) -> None:
    raw = pd.read_csv(flights_folder / "flights.csv")
    weather = pd.read_csv(flights_folder / "weather.csv")
    rows = flights(spark, flights_data(flights_folder), "").rows.toPandas()
    assert rows.distance.sum() == raw.distance.sum()
    # The last weather that is known is that of the hour before, which is observed near its end.
    weather["time_hour"] = (pd.to_datetime(weather.time_hour) + pd.Timedelta("1h")).dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    merged = raw.merge(weather, on=["origin", "time_hour"], how="left")
    assert rows.temperature.isna().sum() == merged.temp.isna().sum()
    assert rows.temperature.sum() == pytest.approx(merged.temp.sum())
    independence = rows[rows["__date"] == pd.Timestamp("2013-07-04").date()]
    assert set(independence.days_to_holiday) == {0.0}
    assert set(independence.day_of_week) == {"Thu"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": "lat"}, "did you mean 'late'"),
        ({"task": "regression"}, "use binary"),
        ({"ignore": ["airlin"]}, "data.ignore: there is no column 'airlin'; did you mean 'airline'"),
        ({"columns": {"dep_time": "numeric"}}, "there is no column 'dep_time'"),
    ],
)
def test_a_wrong_choice_is_refused(
    spark: SparkSession, flights_folder: Path, change: dict[str, object], message: str
) -> None:
    with pytest.raises(FranklinError, match=message):
        flights(spark, flights_data(flights_folder).model_copy(update=change), "")


def test_a_missing_column_is_named(spark: SparkSession, copy: Path) -> None:
    edit(copy, "weather", lambda f: f.rename(columns={"temp": "temperature"}))
    with pytest.raises(FranklinError, match=r"weather\.csv: there is no column 'temp'; did you mean 'temperature'"):
        flights(spark, flights_data(copy), "")


def test_a_missing_table_is_named(copy: Path) -> None:
    (copy / "planes.csv").unlink()
    with pytest.raises(FranklinError, match=r"has no planes\.csv"):
        flights_files(str(copy))
