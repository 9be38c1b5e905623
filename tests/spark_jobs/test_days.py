"""Days: each is read once, a changed one again, a window takes some, and drift between them is named."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from conf.errors import FranklinError
from conf.exchange import LandRequest
from conf.manifest import SPLITS, InputFile
from spark_jobs.landing import _check_alike, landed
from spark_jobs.sources.days import by_day, wanted
from spark_jobs.sources.reading import located
from spark_jobs.sources.storage import PythonStorage
from spark_jobs.writing import locked
from tests.spark_jobs.conftest import SPARK, Prepare, flights_data, table_data

DAYS = [f"2020-01-{day:02d}" for day in range(1, 5)]


@pytest.fixture
def visits(tmp_path: Path) -> Path:
    for place, day in enumerate(DAYS):
        write(tmp_path / "visits", day, seed=place)
    return tmp_path / "visits"


def write(folder: Path, day: str, seed: int, rows: int = 60) -> None:
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame({"age": draw.integers(0, 90, rows), "land": draw.choice(["DE", "FR"], rows)})
    frame["ill"] = np.where(frame["age"] + draw.normal(0, 9, rows) > 45, "yes", "no")
    (folder / f"day={day}").mkdir(parents=True, exist_ok=True)
    frame.to_csv(folder / f"day={day}" / "visits.csv", index=False)


@pytest.mark.spark
def test_only_new_and_changed_days_are_read(prepare: Prepare, visits: Path, tmp_path: Path) -> None:
    data = table_data(visits, label="ill", day="day")
    first, _ = prepare(data)
    assert first.rows_in == 240
    assert first.inferred["day"] == "left out: it says the day"
    kept = {place: place.stat().st_mtime_ns for place in (tmp_path / "days").iterdir()}
    assert sorted(place.name[:10] for place in kept) == DAYS
    write(visits, DAYS[1], seed=9, rows=70)
    write(visits, "2020-01-05", seed=10)
    second, _ = prepare(data, name="second")
    assert second.rows_in == 310
    new = [place for place in (tmp_path / "days").iterdir() if place not in kept]
    assert sorted(place.name[:10] for place in new) == [DAYS[1], "2020-01-05"]
    assert {place: place.stat().st_mtime_ns for place in kept} == kept


@pytest.mark.spark
def test_two_runs_land_a_day_once(spark: SparkSession, visits: Path, tmp_path: Path) -> None:
    data, folder = table_data(visits, label="ill", day="day"), tmp_path / "days"
    left = folder / f".{DAYS[0]}-dead.draft"
    left.mkdir(parents=True)
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(landed, spark, data, located(spark, data), str(folder)) for _ in range(2)]
        assert [run.result().count() for run in runs] == [240, 240]
    assert sorted(place.name[:10] for place in folder.iterdir()) == DAYS


@pytest.mark.spark
def test_a_day_that_was_half_landed_is_landed_anew(spark: SparkSession, visits: Path, tmp_path: Path) -> None:
    data, folder = table_data(visits, label="ill", day="day"), tmp_path / "days"
    assert landed(spark, data, located(spark, data), str(folder)).count() == 240
    one = min(folder.iterdir())
    one.rename(folder / f".{one.name}.draft")  # as a run leaves it that is killed before the day has its name
    (folder / f".{DAYS[0]}.lock").touch()
    assert landed(spark, data, located(spark, data), str(folder)).count() == 240
    assert len(list(folder.iterdir())) == 4


@pytest.mark.spark
def test_a_day_that_is_written_anew_while_a_run_waits_lands_as_it_then_is(
    spark: SparkSession, visits: Path, tmp_path: Path
) -> None:
    data, folder = table_data(visits, label="ill", day="day"), tmp_path / "days"
    folder.mkdir()
    with ThreadPoolExecutor(1) as pool, locked(folder / f".{DAYS[3]}.lock"):
        run = pool.submit(landed, spark, data, located(spark, data), str(folder))
        while len(list(folder.glob("2020*"))) < 3:
            time.sleep(0.05)
        write(visits, DAYS[3], seed=9, rows=70)
    assert run.result().count() == 250
    kept = sorted(folder.iterdir())
    assert landed(spark, data, located(spark, data), str(folder)).count() == 250
    assert sorted(folder.iterdir()) == kept


@pytest.mark.soak
@pytest.mark.spark
def test_a_full_disk_is_named_and_nothing_of_the_day_is_left(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    private = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    if subprocess.run([*private, f"mount -t tmpfs tmpfs {disk}"], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a tmpfs in a namespace of one's own")
    write(tmp_path / "visits", DAYS[0], seed=0, rows=20)
    write(tmp_path / "visits", DAYS[1], seed=1, rows=300_000)
    data, answer = table_data(tmp_path / "visits", label="ill", day="day"), tmp_path / "answer"
    request = tmp_path / "request.json"
    request.write_text(LandRequest(answer=answer, data=data, spark=SPARK, days=str(disk)).model_dump_json())
    script = 'mount -t tmpfs -o size=100k tmpfs "$0" && "$@"; status=$?; ls -A "$0"; exit $status'
    land = [sys.executable, "-m", "spark_jobs.land", str(request)]
    done = subprocess.run([*private, script, str(disk), *land], check=False, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert f"the disk of {disk} is full" in json.loads(answer.read_text())["error"]
    assert [name[:10] for name in done.stdout.split()] == [DAYS[0]]


class Restless(PythonStorage):
    """Files that somebody writes whenever they have been looked at."""

    def identify(self, file: str) -> InputFile:
        """Tell what is there before it is written to."""
        found = super().identify(file)
        Path(file).write_text(f"{Path(file).read_text()}1,DE,no\n")
        return found


@pytest.mark.spark
def test_a_day_that_changes_while_it_is_read_does_not_land(spark: SparkSession, visits: Path, tmp_path: Path) -> None:
    data, folder = table_data(visits, label="ill", day="day"), tmp_path / "days"
    table = replace(located(spark, data), storage=Restless(str(visits)))
    with pytest.raises(FranklinError, match=f"the files of day={DAYS[0]} changed while they were read; run again"):
        landed(spark, data, table, str(folder))
    assert list(folder.iterdir()) == []


@pytest.mark.spark
def test_the_path_decides_what_a_day_has(spark: SparkSession, visits: Path, tmp_path: Path) -> None:
    """Folders below it become columns, those above do not."""
    ward = tmp_path / "all" / "ward=east"
    ward.parent.mkdir()
    visits.rename(ward)
    for path, columns in ((ward.parent, {"ward"}), (ward, set())):
        data = table_data(path, label="ill", day="day")
        names = landed(spark, data, located(spark, data), str(tmp_path / "days")).columns
        assert {*names} & {"ward"} == columns


@pytest.mark.spark
def test_a_window_takes_its_days(prepare: Prepare, visits: Path, tmp_path: Path) -> None:
    split = {"by": "date", "column": "day", "validation_from": DAYS[2], "test_from": DAYS[3]}
    manifest, _ = prepare(table_data(visits, label="ill", day="day", window="3d", split=split))
    assert [manifest.splits[name].rows for name in SPLITS] == [60, 60, 60]
    assert len(manifest.inputs) == 3
    assert len(list((tmp_path / "days").iterdir())) == 3


@pytest.mark.spark
@pytest.mark.soak
def test_rows_of_a_plain_file_outside_the_window_are_set_aside(prepare: Prepare, flights_folder: Path) -> None:
    manifest, _ = prepare(flights_data(flights_folder, day="date", window="2013-06-01..2013-12-31"))
    months = pd.read_csv(flights_folder / "flights.csv")["month"]
    assert manifest.set_aside["outside data.window"] == (months < 6).sum()
    assert manifest.rows_in == len(months)


def _other_column(folder: Path) -> None:
    file = folder / f"day={DAYS[2]}" / "visits.csv"
    file.write_text(file.read_text().replace("land", "country", 1))


def _astray(folder: Path) -> None:
    (folder / "more.csv").write_text("age,land,ill\n1,DE,no\n")


@pytest.mark.spark
@pytest.mark.parametrize(
    ("damage", "window", "message"),
    [
        (_other_column, None, f"{DAYS[2]} has a column 'country', unlike {DAYS[0]}; write one of them anew"),
        (_astray, None, r"more\.csv is in no folder day=YYYY-MM-DD, as others are"),
        (lambda _: None, "2021-01-01..2021-02-01", f"holds no day; there are {DAYS[0]} to {DAYS[3]}"),
    ],
)
def test_days_that_do_not_fit_are_named(
    prepare: Prepare, visits: Path, damage: Callable[[Path], None], window: str | None, message: str
) -> None:
    damage(visits)
    with pytest.raises(FranklinError, match=message):
        prepare(table_data(visits, label="ill", day="day", window=window))


def test_types_that_drift_are_named(tmp_path: Path) -> None:
    places = {date.fromisoformat(day): str(tmp_path / day) for day in DAYS[:2]}
    for place, values in zip(places.values(), ([1, 2], [1.0, 2.0]), strict=True):
        Path(place).mkdir()
        pq.write_table(pa.table({"age": values}), f"{place}/part.parquet")
    with pytest.raises(FranklinError, match="2020-01-02 has 'age' as double, not as int64 like 2020-01-01"):
        _check_alike(places)


def test_a_folder_that_is_no_day_is_named() -> None:
    with pytest.raises(FranklinError, match="'yesterday' is no date"):
        by_day(["/x/day=yesterday/a.csv"], "day")
    assert wanted([date(2020, 1, 1), date(2020, 3, 1)], "60d") == [date(2020, 3, 1)]


def test_a_folder_of_a_day_in_the_future_makes_no_window() -> None:
    days = [date(2020, 1, 1), date(2206, 1, 1)]
    with pytest.raises(FranklinError, match=r"data\.window=60d: the newest day is 2206-01-01, in the future"):
        wanted(days, "60d")
    assert wanted(days, "2020-01-01..2020-12-31") == days[:1]
