"""Spark's encodings and those inside the logged model are the same, row by row."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from conf.manifest import DataFile, Manifest
from models.feeds.packed import rows_of_numbers
from models.serving.encode import encode
from models.tensors import for_network


def read(folder: Path, files: list[DataFile]) -> pa.Table:
    return pa.concat_tables([pq.read_table(folder / file.path) for file in files])


def check_parity(folder: Path, manifest: Manifest) -> None:
    """Compare `test/` with `holdout/` encoded in numpy.

    Row i of the one is row i of the other: `spark_jobs.splitting.spread` deals and orders both by the same key.
    """
    encoded, raw = read(folder, manifest.splits["test"].files), read(folder, manifest.holdout)
    assert encoded.num_rows == raw.num_rows > 0
    numeric, categorical, *tensors = encode(raw.to_pandas(), manifest)
    for place, name in enumerate(manifest.numeric):
        spark = encoded[name].to_numpy()
        np.testing.assert_allclose(numeric[:, place].numpy(), spark, rtol=1e-6, atol=0, err_msg=name)
    for place, column in enumerate(manifest.categorical):
        np.testing.assert_array_equal(categorical[:, place].numpy(), encoded[column.name].to_numpy(), column.name)
    for column, tensor in zip(manifest.tensors, tensors, strict=True):
        stored = torch.from_numpy(rows_of_numbers(encoded[column.name].combine_chunks(), column).astype(column.dtype))
        assert torch.equal(tensor, for_network(stored, column)), column.name
    label = manifest.label
    if manifest.task == "sequence":  # its label is in its tokens
        return
    expected = [
        label.classes.index(value) if label.classes else np.float32(value) for value in raw[label.name].to_pylist()
    ]
    np.testing.assert_array_equal(encoded[label.name].to_numpy(), expected, label.name)


@pytest.mark.spark
def test_spark_and_numpy_encode_alike(flights_set: tuple[Manifest, Path]) -> None:
    manifest, folder = flights_set
    check_parity(folder, manifest)
