"""Petastorm works beside today's pyarrow and numpy, and those do not notice."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import conf.petastorm
from tests.feature_sets import write_feature_set


def open_reader(url: object, **options: Any) -> Any:
    """Open a batch reader: petastorm is imported after conf.petastorm, which sorted imports would not do."""
    from petastorm import make_batch_reader

    return make_batch_reader(url, num_epochs=1, **options)


def test_the_real_libraries_stay_as_they_are() -> None:
    for module, names in {pa: ("filesystem", "localfs", "hdfs"), np: ("string_", "unicode_", "in1d")}.items():
        assert [name for name in names if hasattr(module, name)] == []
    assert not hasattr(pq, "ParquetDatasetPiece")
    assert conf.petastorm.Finder.find_spec("pyarrow") is None


@pytest.mark.parametrize("pool", ["thread", "dummy"])
def test_it_reads_every_row_of_a_split(tmp_path: Path, pool: str) -> None:
    manifest = write_feature_set(tmp_path, "regression", rows=2000)
    with open_reader(f"file://{tmp_path}/train", reader_pool_type=pool) as reader:
        batches = [batch._asdict() for batch in reader]
    assert sum(len(batch["minutes"]) for batch in batches) == manifest.splits["train"].rows
    there = pq.read_table(tmp_path / "train").to_pydict()
    for name, values in there.items():
        assert np.array_equal(np.sort(np.concatenate([batch[name] for batch in batches])), np.sort(values))


def test_partition_folders_become_columns(tmp_path: Path) -> None:
    table = pa.table({"x": list(range(20)), "year": [2012, 2013] * 10, "word": ["a b", "c", "c", "a b"] * 5})
    pq.write_to_dataset(table, tmp_path, partition_cols=["year", "word"])
    with open_reader(f"file://{tmp_path}") as reader:
        rows = {
            (x, year, word) for batch in reader for x, year, word in zip(batch.x, batch.year, batch.word, strict=True)
        }
    assert rows == set(zip(*(table[name].to_pylist() for name in table.column_names), strict=True))


def test_petastorm_first_is_refused() -> None:
    script = "import sys; sys.modules['petastorm'] = sys; import conf.petastorm"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "petastorm was imported before conf.petastorm" in done.stderr
