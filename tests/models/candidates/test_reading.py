"""Rows are what feeds give, without a network's library."""

import json
import mmap
import os
import subprocess
import sys
from errno import ENOSPC
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.columns import Target, TensorColumn
from conf.errors import FranklinError
from conf.manifest import DataFile, Manifest, Split
from models.candidates.apart import Limits, apart
from models.candidates.reading import columns_of, flattered, map_rows, read_rows
from models.candidates.report.naming import reveals
from models.feeds.feed import Feed
from models.feeds.stored import Stored
from models.maps import private
from tests.feature_sets import write_feature_set


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("tensor", [False, True])
def test_rows_are_those_of_the_feed(task: str, tensor: bool, tmp_path: Path) -> None:
    manifest = write_feature_set(tmp_path, task, 500, row_group_rows=60, tensor=tensor)
    rows = read_rows(str(tmp_path), manifest, ["validation", "test"])
    assert len(rows) == 250
    done = 0
    for split in ("validation", "test"):
        for batch in Feed(Stored(str(tmp_path), manifest, split, 2**20), batch_size=50, shuffle=False):
            part = rows.take(np.arange(done, done + len(batch.label)))
            numbers = [batch.numeric.numpy(), *(each.flatten(1).numpy() for each in batch.tensors)]
            np.testing.assert_array_equal(part.numbers, np.concatenate(numbers, axis=1))
            np.testing.assert_array_equal(part.codes, batch.categorical.numpy())
            np.testing.assert_array_equal(part.label, batch.label.numpy())
            done += len(part)
    assert done == len(rows)


@pytest.mark.parametrize("tensor", [False, True])
def test_mapped_rows_are_the_same_and_leave_no_file(tensor: bool, tmp_path: Path) -> None:
    manifest = write_feature_set(tmp_path / "set", "binary", 500, row_group_rows=60, tensor=tensor)
    held, mapped = (
        read(str(tmp_path / "set"), manifest, ["train", "test"])
        for read in (read_rows, partial(map_rows, aside=tmp_path / "aside"))
    )
    for part in ("numbers", "codes", "label", "where"):
        np.testing.assert_array_equal(getattr(mapped, part), getattr(held, part))
    assert {type(each.base.obj) for each in (mapped.numbers.base, mapped.codes.base)} == {mmap.mmap}
    assert not list((tmp_path / "aside").iterdir())
    assert len(map_rows(str(tmp_path / "set"), manifest, [], tmp_path / "aside")) == 0


def test_who_writes_into_mapped_rows_does_so_alone(tmp_path: Path) -> None:
    manifest = write_feature_set(tmp_path / "set", "binary", 100)
    rows = map_rows(str(tmp_path / "set"), manifest, ["train"], tmp_path)
    before = rows.numbers.copy()

    def write() -> float:
        rows.numbers[:] = 7
        return float(rows.numbers.mean())

    assert apart(write, Limits(2**30, 30)).value == 7
    np.testing.assert_array_equal(rows.numbers, before)


def test_rows_may_be_more_than_memory_and_swap(tmp_path: Path) -> None:
    size = 2 * (psutil.virtual_memory().total + psutil.swap_memory().total)
    with (tmp_path / "sparse").open("w+b") as file:
        os.truncate(file.fileno(), size)
        pages = private(file.fileno(), size)
        pages[size - 1] = 7
        assert (pages[size - 1], pages[0]) == (7, 0)


def test_a_disk_without_room_for_rows_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = write_feature_set(tmp_path / "set", "binary", 5000)

    def full(file: int, offset: int, size: int) -> None:  # noqa: ARG001 -- as the system's
        raise OSError(ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(FranklinError, match=r"MiB, and [\d,]+ are free: make room"):
        map_rows(str(tmp_path / "set"), manifest, ["train"], tmp_path)


def test_columns_that_folds_flatter_are_named_in_one_line_with_the_way_out(tmp_path: Path) -> None:
    manifest = write_feature_set(tmp_path, "binary", 40)
    assert flattered(manifest) == []
    made = [Target(name=name, vocabulary=["a"], means=[[0.5]], missing=[0.0]) for name in ("doctor", "ward")]
    (line,) = flattered(manifest.model_copy(update={"columns": [*manifest.columns, *made]}))
    assert line.startswith("folds, and all that is chosen by them, flatter doctor, ward (encoding: target): ")
    assert line.endswith("say encoding: vocabulary or encoding: hash")
    assert not reveals(line)  # so that a blind contest says it, too


@pytest.mark.parametrize(("codec", "dtype"), [("list", "uint8"), ("ndarray", "float32"), ("list", "int32")])
def test_tensors_of_any_kind_are_those_of_the_feed(codec: str, dtype: str, tmp_path: Path) -> None:
    manifest = write_feature_set(tmp_path, "binary", 40, files=1)
    said = {"name": "radar", "shape": [2, 3], "pad": False, "tokens": 9 if dtype == "int32" else 0}
    column = TensorColumn.model_validate({**said, "dtype": dtype, "codec": codec, "mean": 3.0, "scale": 2.5})
    values = np.random.default_rng(0).integers(0, 9, (10, 6))
    stored = {"uint8": pa.int16(), "int32": pa.int32()}.get(dtype, pa.float32())
    if codec == "list":
        array = pa.array(values.tolist(), pa.list_(stored))
    else:
        array = pa.array([_saved(row.reshape(2, 3).astype(dtype)) for row in values], pa.binary())
    label = pa.array([0, 1] * 5, pa.int32())
    pq.write_table(pa.table({"radar": array, "late": label}), tmp_path / "new.parquet", row_group_size=4)
    split = Split(files=[DataFile(path="new.parquet", row_groups=[4, 4, 2])])
    manifest = manifest.model_copy(update={"columns": [column], "splits": {"test": split}})
    (batch,) = Feed(Stored(str(tmp_path), manifest, "test", 2**20), batch_size=50, shuffle=False)
    rows = read_rows(str(tmp_path), manifest, ["test"])
    assert rows.columns.numbers == tuple(f"radar[{place}]" for place in range(6))
    np.testing.assert_array_equal(rows.numbers, batch.tensors[0].flatten(1).float().numpy())


def _saved(values: np.ndarray) -> bytes:
    from io import BytesIO

    np.save(file := BytesIO(), values)
    return file.getvalue()


def test_columns_are_named(tmp_path: Path) -> None:
    columns = columns_of(write_feature_set(tmp_path, "multiclass", 100))
    assert columns.numbers == ("distance", "hour", "wind", "wind__missing")
    assert (columns.codes, columns.cardinalities) == (("carrier", "origin"), (7, 6))
    assert columns.classes == ("early", "late", "punctual")
    assert columns.where is None


def test_days_are_read(tmp_path: Path) -> None:
    manifest = _dated(tmp_path, write_feature_set(tmp_path, "binary", 100, files=1))
    rows = read_rows(str(tmp_path), manifest, ["train"])
    assert rows.columns.where == "day"
    assert rows.where is not None
    assert rows.where.dtype == np.int64
    np.testing.assert_array_equal(rows.where, 15_000 + np.arange(100))


def _dated(folder: Path, manifest: Manifest) -> Manifest:
    path = folder / manifest.splits["train"].files[0].path
    table = pq.read_table(path)
    pq.write_table(table.append_column("__where", pa.array(15_000 + np.arange(len(table)), pa.int32())), path)
    return manifest.model_copy(update={"where": "day"})


def test_no_splits_no_rows(tmp_path: Path) -> None:
    rows = read_rows(str(tmp_path), write_feature_set(tmp_path, "binary", 20), [])
    assert rows.numbers.shape == (0, 4)


def test_a_label_that_is_no_number_is_refused(tmp_path: Path) -> None:
    manifest = write_feature_set(tmp_path, "regression", 20, files=1)
    path = tmp_path / manifest.splits["train"].files[0].path
    table = pq.read_table(path)
    place = table.column_names.index("minutes")
    broken = table.set_column(place, "minutes", pa.array([np.nan] * len(table), pa.float32()))
    pq.write_table(broken, path)
    with pytest.raises(FranklinError, match="label minutes is no number"):
        read_rows(str(tmp_path), manifest, ["train"])


def test_sequences_have_no_candidates(tmp_path: Path) -> None:
    with pytest.raises(FranklinError, match="sequences"):
        columns_of(write_feature_set(tmp_path, "sequence", 20))


def test_importing_is_light() -> None:
    code = "import sys, json, models.candidates, models.candidates.reading; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "pandas", "sklearn", "lightgbm", "xgboost"} & set(json.loads(done.stdout))
