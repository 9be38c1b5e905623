"""Tensors from raw arrays through Spark to a feed: what is quarantined, and that each way gives the same numbers."""

import json
import pickle
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from conf import training
from conf.errors import FranklinError
from conf.manifest import Manifest
from conf.petastorm import petastorm
from models.feeds import open_feed
from models.feeds.batch import Batch
from tests.spark_jobs.conftest import Prepare, table_data
from tests.spark_jobs.test_parity import check_parity

pytestmark = pytest.mark.spark
ROWS = 120
BAD: dict[str, tuple[str, Any]] = {
    "'words' has more than 5 numbers": ("words", [1] * 6),
    "'words' has numbers that are no tokens, which are whole and from 0 to 2147483647": ("words", [1, -1]),
    "'cells' is missing, or a part of it": ("cells", None),
    "'cells' has fewer than 12 numbers": ("cells", [[[1.0]]]),
    "'cells' has missing numbers": ("cells", [[[None] * 3] * 2] * 2),
    "'cells' has numbers beyond every 32-bit float": ("cells", [[[1e39] * 3] * 2] * 2),
    "'pixels' has numbers that are not whole or not in 0 to 255": ("pixels", "[[256, 1], [2, 3]]"),
}


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    """Sequences of tokens, volumes as nested lists, images as text; the last rows are bad, each in its own way."""
    draw = np.random.default_rng(2)
    columns: dict[str, list[Any]] = {
        "x": draw.normal(size=ROWS).tolist(),
        "words": [draw.integers(0, 9, draw.integers(0, 6)).tolist() for _ in range(ROWS)],
        "cells": (3 + draw.normal(size=(ROWS, 2, 2, 3))).tolist(),
        "pixels": [json.dumps(image.tolist()) for image in draw.integers(0, 256, (ROWS, 2, 2))],
        "y": (["no", "yes"] * ROWS)[:ROWS],
    }
    for row, (name, value) in enumerate(BAD.values(), ROWS - len(BAD)):
        columns[name][row] = value
    cells = pa.array(columns["cells"], pa.list_(pa.list_(pa.list_(pa.float64()))))
    return pa.table({**columns, "cells": cells})


KINDS = {
    "words": {"kind": "tensor", "shape": [5], "dtype": "int32", "pad": True},
    "cells": {"kind": "tensor", "shape": [2, 2, 3]},
    "pixels": {"kind": "tensor", "shape": [1, 2, 2], "dtype": "uint8"},
}


@pytest.mark.parametrize("codec", ["list", "ndarray"])
def test_arrays_become_tensors_on_every_way(prepare: Prepare, rows: pa.Table, tmp_path: Path, codec: str) -> None:
    pq.write_table(rows, tmp_path / "rows.parquet")
    kinds = {name: {**kind, "codec": codec} for name, kind in KINDS.items()}
    manifest, folder = prepare(table_data(tmp_path / "rows.parquet", columns=kinds))
    assert manifest.quarantined == dict.fromkeys(sorted(BAD), 1)
    words, cells, _ = manifest.tensors
    assert (words.tokens, words.mean, words.scale) == (9, 0, 1)
    assert cells.mean == pytest.approx(3, abs=0.3)
    check_parity(folder, manifest)
    if codec == "ndarray":
        check_bytes(folder, manifest)
    for layout in ("stored", "mapped"):
        train, same = (whole(name, layout, folder, manifest) for name in ("arrow", "petastorm"))
        assert all(torch.equal(one, other) for one, other in zip(train, same, strict=True))
        assert [tensor.shape[1:] for tensor in train[2:]] == [(5,), (2, 2, 3), (1, 2, 2)]
        assert [tensor.dtype for tensor in train[2:]] == [torch.int64, torch.float32, torch.float32]
        for tensor in train[3:]:
            assert float(tensor.mean()) == pytest.approx(0, abs=1e-5)
            assert float(tensor.std(correction=0)) == pytest.approx(1, abs=1e-5)


def check_bytes(folder: Path, manifest: Manifest) -> None:
    """Hold what Spark wrote against what Petastorm's codec writes of the same arrays."""
    petastorm()
    described = pq.read_schema(folder / "train/_common_metadata").metadata[b"dataset-toolkit.unischema.v1"]
    fields = pickle.loads(described).fields  # noqa: S301, it was written just now
    written = pq.read_table([folder / file.path for file in manifest.splits["train"].files])
    for column in manifest.tensors:
        field = fields[column.name]
        for content in written[column.name].to_pylist():
            assert bytes(field.codec.encode(field, np.load(BytesIO(content)))) == content


def whole(name: Any, layout: Any, folder: Path, manifest: Manifest) -> list[torch.Tensor]:
    """The first epoch's train rows, as a network takes them, in one piece and in the order of x."""
    wanted = training.Feed(name=name, batch_size=16, layout=layout, memory="1m", cache=None)
    feed = open_feed(wanted, str(folder), manifest, "train", seed=1, rank=0, world_size=1)
    batches = [batch.inputs for batch in feed]
    found = [torch.cat(parts) for parts in zip(*batches, strict=True)]
    order = found[0][:, 0].argsort()
    return [tensor[order] for tensor in found]


@pytest.mark.parametrize("codec", ["list", "ndarray"])
def test_petastorm_keeps_order_and_position(prepare: Prepare, rows: pa.Table, tmp_path: Path, codec: str) -> None:
    """A pass that was broken off goes on with the rows of one that was not.

    Of tensors by a codec, its units are those of the other feed: the batches are the same, one by one.
    """
    pq.write_table(rows, tmp_path / "rows.parquet")
    kinds = {name: {**kind, "codec": codec} for name, kind in KINDS.items()}
    manifest, folder = prepare(table_data(tmp_path / "rows.parquet", columns=kinds))
    seen: dict[str, list[torch.Tensor]] = {"arrow": [], "petastorm": []}
    for rank in range(2):
        feeds = []
        for name in ("arrow", "petastorm", "petastorm", "petastorm"):
            wanted = training.Feed(name=name, batch_size=16, layout="stored", memory="1m", cache=None)
            feeds.append(open_feed(wanted, str(folder), manifest, "train", seed=1, rank=rank, world_size=2))
        plain, unbroken, ours, resumed = feeds
        arrow, whole_pass, first = list(plain), list(unbroken), list(islice(iter(ours), 2))
        resumed.load_state_dict(ours.state_dict())
        found = [*first, *resumed]
        assert len(found) == len(arrow) > 2
        check_same(found, whole_pass)
        if codec == "ndarray":
            check_same(found, arrow)
        for name, batches in (("arrow", arrow), ("petastorm", found)):
            seen[name] += [batch.numeric[:, 0] for batch in batches]
    # Whoever has them: each row once.
    assert torch.equal(*(torch.cat(parts).sort().values for parts in seen.values()))


def check_same(batches: list[Batch], others: list[Batch]) -> None:
    """Hold batches against others, row by row and in every column."""
    for mine, theirs in zip(batches, others, strict=True):
        for one, other in zip((*mine.inputs, mine.label), (*theirs.inputs, theirs.label), strict=True):
            assert torch.equal(one, other)


def test_a_column_without_arrays_is_no_tensor(prepare: Prepare, rows: pa.Table, tmp_path: Path) -> None:
    pq.write_table(rows, tmp_path / "rows.parquet")
    with pytest.raises(FranklinError, match=r"data\.columns\.x: a tensor is made of arrays, and 'x' holds none"):
        prepare(table_data(tmp_path / "rows.parquet", columns={"x": {"kind": "tensor", "shape": [2]}}))
