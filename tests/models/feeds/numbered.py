"""Feature sets whose rows are numbered, to see which rows a feed gives."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from conf.columns import Categorical, Numeric, TensorColumn
from conf.manifest import WHERE, DataFile, Label, Manifest, Split
from models.feeds.batch import Batch
from models.feeds.feed import Source
from models.feeds.mapped import Mapped
from models.feeds.petastorm import Petastorm
from models.feeds.stored import Stored

Case = dict[str, Any]
WANTED: Case = {"name": "arrow", "batch_size": 10, "layout": "mapped", "memory": "1m", "cache": None}
LAYOUTS = ("stored", "mapped", "petastorm", "petastorm mapped")


def source(layout: str, folder: Path | str, manifest: Manifest, split: Any = "train", memory: int = 2**20) -> Source:
    stored = (Petastorm if "petastorm" in layout else Stored)(str(folder), manifest, split, memory)
    return Mapped(stored, Path(folder) / ".rows", split, memory) if "mapped" in layout else stored


def numbered(folder: Path, row_groups: list[list[int]]) -> Manifest:
    """A feature set whose rows are numbered 0, 1, 2, ... in every column, in files of these row groups.

    Its tensor, `(3,)` bytes, has each number modulo 256 three times; its groups, which no feed gives, are numbered too.
    """
    start, files = 0, []
    (folder / "train").mkdir()
    for index, groups in enumerate(row_groups):
        path = f"train/{index}.parquet"
        kinds = {WHERE: pa.int32(), "x": pa.float32(), "c": pa.int32(), "t": pa.list_(pa.int16()), "y": pa.float32()}
        schema = pa.schema(kinds)
        with pq.ParquetWriter(folder / path, schema) as writer:
            for rows in groups:
                numbers = range(start, start + rows)
                columns = {key: list(numbers) for key in schema.names} | {"t": [[i % 256] * 3 for i in numbers]}
                writer.write_table(pa.table(columns, schema), rows)
                start += rows
        files.append(DataFile(path=path, row_groups=groups))
    return Manifest(
        name="numbered",
        task="regression",
        label=Label(name="y", classes=[], prior=[], mean=0, scale=1),
        columns=[
            Numeric(name="x", mean=0, scale=1, indicator=False),
            Categorical(name="c", vocabulary=[str(i) for i in range(start)]),
            TensorColumn(name="t", shape=[3], dtype="uint8", codec="list", pad=False, mean=0, scale=1, tokens=0),
        ],
        splits={"train": Split(files=files)},
        holdout=[],
        where="group",
        rows_in=start,
        quarantined={},
        set_aside={},
        inferred={},
        example=[],
        inputs=[],
        fingerprint="numbered",
        created="2026-01-01T00:00:00+00:00",
    )


def numbers(batches: Iterator[Batch]) -> list[list[int]]:
    return [rows_of(batch) for batch in batches]


def rows_of(batch: Batch) -> list[int]:
    """The numbers of a batch's rows, which have to be the same in each column."""
    rows = batch.label.int()
    for values in (batch.numeric, batch.categorical):
        assert torch.equal(values.int(), rows[:, None])
    assert torch.equal(batch.tensors[0].int(), (rows % 256)[:, None].expand(-1, 3))
    return rows.tolist()


def flat(batches: Iterable[list[int]]) -> list[int]:
    return [row for batch in batches for row in batch]
