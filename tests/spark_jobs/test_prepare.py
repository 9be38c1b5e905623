"""The job as the process it is: a feature set whole or not at all, and the same one whatever Spark's partitions."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from conf.columns import Numeric
from conf.data import Data
from conf.errors import FranklinError
from conf.exchange import PrepareRequest
from conf.manifest import SPLITS, WHERE, Manifest, read_manifest
from spark_jobs.fingerprint import fingerprint
from spark_jobs.prepare import build
from spark_jobs.writing import drafting
from tests.spark_jobs.conftest import (
    FILE_BYTES,
    PARTITIONS,
    SPARK,
    Prepare,
    flights_data,
    prepare_request,
    restored,
    table_data,
)

pytestmark = pytest.mark.spark
ENGINE = [sys.executable, "-m", "spark_jobs.prepare"]
ON_TMPFS = 'mount -t tmpfs -o size=1m tmpfs "$1" && shift && "$@"; status=$?; ls -A "$0"; exit $status'


def ask(folder: Path, data: Data, work: Path) -> Path:
    """Write a request; returns its path."""
    identity = fingerprint(data) if data.path and Path(data.path).exists() else "of nothing"
    answer, days = work / "answer", str(work / "days")
    request = PrepareRequest(answer=answer, data=data, spark=SPARK, folder=str(folder), days=days, fingerprint=identity)
    file = work / "request.json"
    file.write_text(request.model_dump_json())
    return file


def told(work: Path) -> dict[str, object]:
    answer: dict[str, object] = json.loads((work / "answer").read_text())
    return answer


def test_the_manifest_says_what_the_files_hold(flights_set: tuple[Manifest, Path]) -> None:
    manifest, folder = flights_set
    assert read_manifest(str(folder)) == manifest
    expected = dict.fromkeys(manifest.numeric, "float") | {c.name: "int32" for c in manifest.categorical}
    expected |= {manifest.label.name: "int32", WHERE: "int32"}
    for split in SPLITS:
        described = manifest.splits[split].files
        assert [file.path for file in described] == [f"{split}/{p.name}" for p in sorted((folder / split).iterdir())]
        for file in described:
            footer = pq.read_metadata(folder / file.path)
            assert file.row_groups == [footer.row_group(i).num_rows for i in range(footer.num_row_groups)]
            assert {field.name: str(field.type) for field in footer.schema.to_arrow_schema()} == expected
            plain = [footer.row_group(0).column(i) for i in range(footer.num_columns)]
            assert not any(c.has_dictionary_page for c in plain if c.physical_type == "FLOAT")
        assert sum(len(file.row_groups) for file in described) >= 8
    holdout = pq.read_schema(folder / manifest.holdout[0].path)
    raw = {c.name: "double" if isinstance(c, Numeric) else "string" for c in manifest.columns}
    assert {field.name: str(field.type) for field in holdout} == raw | {manifest.label.name: "string"}
    assert [list(row) for row in manifest.example] == [list(manifest.raw)] * len(manifest.example)


def test_a_row_of_a_split_by_date_says_its_day(flights_set: tuple[Manifest, Path]) -> None:
    manifest, folder = flights_set
    assert manifest.where == "day"
    days = [pq.read_table(folder / split)[WHERE].to_numpy().astype("datetime64[D]") for split in SPLITS]
    assert [(str(each.min())[:7], str(each.max())[:7]) for each in days] == [
        ("2013-01", "2013-08"),
        ("2013-09", "2013-10"),
        ("2013-11", "2013-12"),
    ]


def test_a_row_says_its_group_or_its_day_or_nothing(prepare: Prepare, tmp_path: Path) -> None:
    csv = tmp_path / "p.csv"
    csv.write_text(
        "x,g,d,y\n" + "".join(f"{i * 7 % 50},{i % 40},2020-02-{1 + i % 9:02d},{i % 2}\n" for i in range(400))
    )
    by_group, folder = prepare(table_data(csv, split={"by": "group", "column": "g", "validation": 0.2, "test": 0.2}))
    groups = [set(pq.read_table(folder / split)[WHERE].to_pylist()) for split in SPLITS]
    assert by_group.where == "group"
    assert sum(map(len, groups)) == len(set.union(*groups)) == 40
    by_hash, folder = prepare(table_data(csv, day="d"), name="day")
    days = np.unique(pq.read_table(folder / "train")[WHERE].to_numpy()).astype("datetime64[D]").astype(str)
    assert by_hash.where == "day"
    assert days.tolist() == [f"2020-02-{day:02d}" for day in range(1, 10)]
    neither, folder = prepare(table_data(csv), name="neither")
    assert neither.where is None
    assert WHERE not in pq.read_schema(folder / neither.splits["train"].files[0].path).names


@pytest.mark.soak
def test_the_rows_do_not_depend_on_partitions(spark: SparkSession, prepare: Prepare, flights_folder: Path) -> None:
    tables: list[list[pa.Table]] = []
    with restored(spark, PARTITIONS, FILE_BYTES):
        for partitions in ("1", "7"):
            spark.conf.set(PARTITIONS, partitions)
            spark.conf.set(FILE_BYTES, str(10**6 // int(partitions)))
            _, folder = prepare(flights_data(flights_folder, label="air_time"), name=partitions)
            tables.append([pq.read_table(folder / split) for split in (*SPLITS, "holdout")])
    assert tables[0] == tables[1]  # the order of rows included


@pytest.mark.soak
def test_a_second_run_finds_the_feature_set_and_starts_no_spark(tmp_path: Path) -> None:
    csv = tmp_path / "p.csv"
    csv.write_text("x,y\n" + "".join(f"{i * 7 % 50},{i % 2}\n" for i in range(200)))
    folder = tmp_path / "sets" / "one"
    request = ask(folder, table_data(csv), tmp_path)
    (folder.parent / ".one.draft").mkdir(parents=True)  # as a killed run leaves it
    subprocess.run([*ENGINE, request], check=True, capture_output=True)
    assert told(tmp_path) == {"result": {"folder": str(folder)}}
    assert sorted(p.name for p in folder.parent.iterdir()) == ["one"]
    again = subprocess.run([*ENGINE, request], check=True, capture_output=True, env={"PATH": "/nowhere"})
    assert again.stderr == b""


def test_a_mistake_is_one_line_in_the_answer(tmp_path: Path) -> None:
    request = ask(tmp_path / "set", table_data(tmp_path / "gone.csv"), tmp_path)
    done = subprocess.run([*ENGINE, request], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "gone.csv does not exist" in str(told(tmp_path)["error"])
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "set").exists()


def test_an_input_that_changed_is_refused_and_nothing_is_left(spark: SparkSession, tmp_path: Path) -> None:
    csv, sets = tmp_path / "p.csv", tmp_path / "sets"
    csv.write_text("x,y\n" + "".join(f"{i * 7 % 50},{i % 2}\n" for i in range(200)))
    request = prepare_request(sets / "one", table_data(csv))
    os.utime(csv, (1, 1))
    with pytest.raises(FranklinError, match="the input changed while it was read"), drafting(request.folder) as draft:
        build(spark, request, draft)
    assert list(sets.iterdir()) == []


@pytest.mark.soak
def test_a_full_disk_is_named_and_nothing_is_left(tmp_path: Path, flights_folder: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    private = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    if subprocess.run([*private, f"mount -t tmpfs tmpfs {disk}"], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a tmpfs in a namespace of one's own")
    request = ask(disk / "set", flights_data(flights_folder), tmp_path)
    fill = f"head -c 900000 /dev/zero > {disk}/ballast; "
    script = ON_TMPFS.replace('"$@";', f'{{ {fill}"$@"; }};')
    done = subprocess.run([*private, script, disk, disk, *ENGINE, request], check=False, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert f"the disk of {disk} is full" in str(told(tmp_path)["error"])
    assert set(done.stdout.split()) == {"ballast"}
