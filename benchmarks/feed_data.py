"""Feature sets for `benchmarks.feed`: random numbers, written once as Spark writes them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from conf.columns import Categorical, Column, Numeric
from conf.manifest import DataFile, Label, Manifest, Split, read_manifest

GROUP_ROWS, FILE_ROWS = 16_384, 65_536  # as spark_jobs.writing has them
SHAPES = {"1m": (1_000_000, 64, 0), "10m": (10_000_000, 20, 6)}  # rows, float columns, categorical columns
CARDINALITY = 100


def feature_set(folder: Path, shape: str, codec: str) -> Manifest:
    """Make the feature set in `folder`, unless it is there."""
    if (folder / "manifest.json").exists():
        return read_manifest(str(folder))
    rows, floats, categories = SHAPES[shape]
    numeric, categorical = _columns(floats, categories)
    draw = np.random.default_rng(1)
    (folder / "train").mkdir(parents=True)
    files = []
    for start in range(0, rows, FILE_ROWS):
        count = min(FILE_ROWS, rows - start)
        values = {column.name: draw.standard_normal(count, np.float32) for column in numeric}
        codes = {column.name: draw.integers(0, CARDINALITY + 2, count, np.int32) for column in categorical}
        arrays = {**values, **codes, "y": draw.standard_normal(count, np.float32)}
        fields = [pa.field(name, pa.from_numpy_dtype(array.dtype), nullable=False) for name, array in arrays.items()]
        table = pa.table(list(arrays.values()), pa.schema(fields))
        path = f"train/part-{start // FILE_ROWS:05d}.parquet"
        dictionaries = [*codes] or False
        pq.write_table(table, folder / path, row_group_size=GROUP_ROWS, use_dictionary=dictionaries, compression=codec)
        groups = [min(GROUP_ROWS, count - at) for at in range(0, count, GROUP_ROWS)]
        files.append(DataFile(path=path, row_groups=groups))
    manifest = manifest_of(rows, floats, categories, files, f"random-{shape}-{codec}")
    (folder / "manifest.json").write_text(manifest.model_dump_json(), encoding="utf-8")
    return manifest


def manifest_of(
    rows: int, floats: int, categories: int = 0, files: Sequence[DataFile] = (), fingerprint: str = "random"
) -> Manifest:
    """Make the manifest of random numbers, whose files may not exist."""
    numeric, categorical = _columns(floats, categories)
    columns: list[Column] = [*numeric, *categorical]
    return Manifest(
        name="random",
        task="regression",
        label=Label(name="y", classes=[], prior=[], mean=0, scale=1),
        columns=columns,
        splits={"train": Split(files=list(files))},
        holdout=[],
        rows_in=rows,
        quarantined={},
        set_aside={},
        inferred={},
        example=[],
        inputs=[],
        fingerprint=fingerprint,
        created="2026-11-23T00:00:00+00:00",
    )


def _columns(floats: int, categories: int) -> tuple[list[Numeric], list[Categorical]]:
    numeric = [Numeric(name=f"x{i}", mean=0, scale=1, indicator=False) for i in range(floats)]
    vocabulary = [str(i) for i in range(CARDINALITY)]
    return numeric, [Categorical(name=f"c{i}", vocabulary=vocabulary) for i in range(categories)]
