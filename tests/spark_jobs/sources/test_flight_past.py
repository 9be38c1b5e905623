"""Features of other flights and of the weather: what was known at the scheduled departure, and nothing else."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from spark_jobs.sources import flights as source
from spark_jobs.sources.flight_past import PLANE
from spark_jobs.sources.flight_times import FLIGHT
from spark_jobs.sources.holidays import holiday_distances
from spark_jobs.sources.locate import flights_files

pytestmark = pytest.mark.spark
# In July, some destinations' clocks differ from New York's by another hour than in March.
CUTS = {3: pd.Timestamp("2013-03-08T19:00Z"), 7: pd.Timestamp("2013-07-04T19:00Z")}
OUTCOMES = ["dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"]
Change = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture(scope="module")
def days(flights_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All flights of a fifth of the planes in some days around the cuts, with the other tables whole."""
    folder = Path(shutil.copytree(flights_folder, tmp_path_factory.mktemp("days") / "days"))
    every = pd.read_csv(flights_files(None)["flights"], dtype=str, keep_default_na=False)
    day = every.day.astype(int)
    near = every[((every.month == "3") & (day <= 12)) | ((every.month == "7") & (day <= 7))]
    near = near[near.tailnum != "NA"]
    near[near.tailnum.isin(near.tailnum.unique()[::5])].to_csv(folder / "flights.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def before(spark: SparkSession, days: Path) -> pd.DataFrame:
    return features(spark, days)


def features(spark: SparkSession, folder: Path) -> pd.DataFrame:
    """Each flight's features, by its key."""
    read = spark.read.option("header", "true").option("nullValue", "NA")
    tables = {name: read.csv(file).select(*source.NEEDED[name]) for name, file in flights_files(str(folder)).items()}
    joined = source.join(tables, holiday_distances(spark))
    made = [value.alias(name) for name, (_, value) in source._features().items() if name not in FLIGHT]
    return joined.select(*FLIGHT, "copy", *made).toPandas().set_index([*FLIGHT, "copy"]).sort_index()


def changed(days: Path, folder: Path, changes: dict[str, Change]) -> Path:
    shutil.copytree(days, folder)
    for name, change in changes.items():
        frame = pd.read_csv(folder / f"{name}.csv", dtype=str, keep_default_na=False)
        change(frame).to_csv(folder / f"{name}.csv", index=False)
    return folder


def cuts(hours: Any) -> Any:
    """The cut of each hour's month."""
    return pd.Series(hours).dt.month.map(CUTS).to_numpy()


def otherwise(frame: pd.DataFrame) -> pd.DataFrame:
    """Give all that happened at a cut or after it another outcome; the schedule stays, which was known before.

    So do those who left before the cut, ahead of their time at it.
    """
    hours = pd.to_datetime(frame.time_hour)
    at = hours + pd.to_timedelta(frame.sched_dep_time.astype(int) % 100, "min")
    numbers = {name: pd.to_numeric(frame[name], errors="coerce") for name in ("dep_delay", "air_time")}
    departed = at + pd.to_timedelta(numbers["dep_delay"], "min")
    gone = (departed < cuts(hours)) & (at < cuts(hours))
    there = gone & (departed + pd.to_timedelta(numbers["air_time"], "min") < cuts(hours))
    frame = frame.copy()
    # Those that were to leave before the cut, and all that were cancelled, do after it.
    left = ((pd.Series(cuts(hours)) - at).dt.total_seconds() / 60).clip(lower=0).astype(int)
    frame.loc[~there, "arr_delay"] = (left + 300)[~there].astype(str)
    frame.loc[~there, ["air_time", "arr_time"]] = ["300", "2359"]
    frame.loc[~gone, "dep_delay"] = (left + 60)[~gone].astype(str)
    frame.loc[~gone, "dep_time"] = "1"
    never = ~gone & (np.arange(len(frame)) % 2 == 0)
    frame.loc[never, OUTCOMES] = "NA"
    return frame


def another_sky(frame: pd.DataFrame) -> pd.DataFrame:
    """Change the hours from a cut on, of which each is observed near its end."""
    hours = pd.to_datetime(frame.time_hour)
    later = hours.dt.month.isin(CUTS) & (hours >= cuts(hours))
    frame.loc[later, ["temp", "precip", "pressure", "visib", "wind_speed"]] = ["99", "9", "900", "0", "70"]
    return frame


def test_nothing_that_happens_later_reaches_a_feature(
    spark: SparkSession, days: Path, before: pd.DataFrame, tmp_path: Path
) -> None:
    after = features(spark, changed(days, tmp_path / "later", {"flights": otherwise, "weather": another_sky}))
    hours = pd.to_datetime(before.index.get_level_values("time_hour"))
    at = hours + pd.to_timedelta(before["departure_minute"] % 60, "min")
    # A slot looks at those before it: so nobody knows a thing of its own flight, nor of those that leave beside it.
    early = (at < cuts(hours) + pd.Timedelta("15min")).to_numpy()
    assert early.sum() > 1200
    pd.testing.assert_frame_equal(before[early], after[early])
    moved = (before[~early].fillna(-1) != after[~early].fillna(-1)).any()
    made = {"temperature", "origin_departure_delay_3h", "plane_arrival_delay", "waiting_3h", "dest_delay_1d"}
    assert made <= {*moved[moved].index}
    assert before[[*PLANE]].notna().mean().min() > 0.01  # there was something to look at


@pytest.mark.soak
def test_copies_and_bad_rows_are_no_traffic_and_joins_multiply_nothing(
    spark: SparkSession, days: Path, before: pd.DataFrame, tmp_path: Path
) -> None:
    def crowd(frame: pd.DataFrame) -> pd.DataFrame:
        return pd.concat([frame, frame[::3], frame[::7].assign(flight="9999", distance="-3")])

    def twice(frame: pd.DataFrame) -> pd.DataFrame:
        return pd.concat([frame, frame])

    tables = dict.fromkeys(("weather", "planes", "airports", "airlines"), twice)
    folder = changed(days, tmp_path / "crowd", {"flights": crowd} | tables)
    after = features(spark, folder)
    assert len(after) == len(pd.read_csv(folder / "flights.csv"))
    pd.testing.assert_frame_equal(before, after.loc[before.index])


def test_looks_are_means_over_what_had_happened(before: pd.DataFrame, days: Path) -> None:
    flights = pd.read_csv(days / "flights.csv")
    flights["at"] = pd.to_datetime(flights.time_hour) + pd.to_timedelta(flights.sched_dep_time % 100, "min")
    flights["departed"] = flights["at"] + pd.to_timedelta(flights.dep_delay.where(~(flights.dep_delay < 0), 0), "min")
    for place in range(100, len(flights), 211):
        one = flights.iloc[place]
        quarter = one["at"].floor("15min")
        there = flights[flights.origin == one.origin]
        hour = there[there.departed.between(quarter - pd.Timedelta("60min"), quarter, inclusive="left")]
        made = before.loc[(one.origin, one.time_hour, one.carrier, str(one.flight), 1)]
        assert made["origin_departure_delay_1h"] == pytest.approx(hour.dep_delay.mean(), nan_ok=True)
        meant = there[there["at"].between(quarter - pd.Timedelta("60min"), quarter, inclusive="left")]
        assert made["scheduled_before"] == len(meant)
        assert made["waiting_1h"] == len(meant) - len(hour)
        mine = flights[(flights.tailnum == one.tailnum) & (flights["at"] < one["at"])].sort_values("at")
        turn = (one["at"] - mine["at"].iloc[-1]).total_seconds() / 60 if len(mine) else 1440
        assert made["plane_turn"] == min(turn, 1440)
