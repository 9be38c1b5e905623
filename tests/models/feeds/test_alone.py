"""Tensors by Petastorm's codec are read row group by row group, without a look at the other files."""

import json
import pickle
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem

import conf.petastorm  # noqa: F401, so that Petastorm can be imported
from conf.manifest import DataFile, Manifest, Split
from models.feeds.petastorm import Petastorm
from models.feeds.stored import Stored
from tests.models.feeds.test_feed import numbered

FILES, GROUPS, ROWS = 3, 2, 5


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """Rows numbered in every column, the tensor by `NdarrayCodec`, and what Spark leaves beside the files."""
    from petastorm.codecs import NdarrayCodec
    from petastorm.etl.dataset_metadata import ROW_GROUPS_PER_FILE_KEY, UNISCHEMA_KEY
    from petastorm.unischema import Unischema, UnischemaField

    folder, files = tmp_path / "bucket" / "set", []
    folder.mkdir(parents=True)
    plain = numbered(folder, [])
    schema = pa.schema({"x": pa.float32(), "c": pa.int32(), "t": pa.binary(), "y": pa.float32()})
    for number, rows in enumerate(np.arange(FILES * GROUPS * ROWS).reshape(FILES, -1).tolist()):
        path = f"train/{number}.parquet"
        table = pa.table(dict.fromkeys("xcy", rows) | {"t": [saved(row) for row in rows]})
        pq.write_table(table.select(schema.names).cast(schema), folder / path, row_group_size=ROWS)
        files.append(DataFile(path=path, row_groups=[ROWS] * GROUPS))
    kinds = {"x": np.float32, "c": np.int32, "y": np.float32}
    fields = [UnischemaField(name, kind, (), None, False) for name, kind in kinds.items()]
    unischema = Unischema("numbered", [*fields, UnischemaField("t", np.uint8, (3,), NdarrayCodec(), False)])
    groups = json.dumps({Path(file.path).name: GROUPS for file in files})
    described = {UNISCHEMA_KEY: pickle.dumps(unischema), ROW_GROUPS_PER_FILE_KEY: groups}
    pq.write_metadata(schema.with_metadata(described), folder / "train" / "_common_metadata")
    columns = [*plain.columns[:2], plain.tensors[0].model_copy(update={"codec": "ndarray"})]
    return plain.model_copy(update={"columns": columns, "splits": {"train": Split(files=files)}})


def saved(row: int) -> bytes:
    content = BytesIO()
    np.save(content, np.full(3, row, np.uint8))
    return content.getvalue()


def test_only_what_is_read_is_opened_and_nothing_is_listed(
    manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = str(tmp_path / "bucket" / "set")
    expected = Stored(place, manifest, "train", 2**20)
    source = Petastorm(place, manifest, "train", 2**20)
    # As of a bucket, whose paths have no slash in front.
    source.filesystem, source.root = DirFileSystem(str(tmp_path), LocalFileSystem()), "bucket/set"
    opened: list[str] = []
    real = LocalFileSystem.open
    monkeypatch.setattr(
        LocalFileSystem, "open", lambda self, path, *a, **k: opened.append(path) or real(self, path, *a, **k)
    )
    for name in ("find", "ls", "glob", "walk"):
        monkeypatch.setattr(LocalFileSystem, name, None)
    assert source.groups == expected.groups
    for group in reversed(source.groups):
        assert torch.equal(source.words([group]), expected.words([group]))
        assert {Path(path).name for path in opened} - {"_common_metadata"} == {Path(group.path).name}
        opened.clear()
