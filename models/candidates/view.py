"""Rows as a small feature set of their own, on which a network trains by the launcher that all networks train by."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from conf.columns import Column, TensorColumn
from conf.manifest import SPLITS, DataFile, Manifest, Split, SplitName
from models.candidates.rows import Rows

GROUP_ROWS = 2**14  # of a row group, so that several ranks or threads have something to do
WHERE = "__where"  # the column of a row's day or group


def write_view(folder: Path, manifest: Manifest, splits: Mapping[SplitName, Rows]) -> Manifest:
    """Write rows as splits of a feature set, whose encodings and label are those of `manifest`.

    Numbers are encoded already, so those of tensors are written as they are and their column says so. Splits that are
    not given are empty. Nothing of raw rows is there: it is a feature set to train on, and no more.

    Args:
        folder: to write to; it must be there.
        manifest: of the feature set that the rows are of.
        splits: rows by split.

    """
    changes: dict[str, Any] = {
        "columns": [_as_it_is(column) for column in manifest.columns],
        "splits": {name: Split(files=_write(folder, name, splits[name], manifest)) for name in SPLITS if name in splits}
        | {name: Split(files=[]) for name in SPLITS if name not in splits},
        "holdout": [],
        "example": [],
        "fingerprint": f"view-{manifest.fingerprint}",
    }
    view = manifest.model_copy(update=changes)
    (folder / "manifest.json").write_text(view.model_dump_json(), encoding="utf-8")
    return view


def laid_out(rows: Rows, manifest: Manifest) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
    """Part the numbers of rows: `(rows, n)` of the numeric columns, and `(rows, size)` of each tensor."""
    start, tensors = len(manifest.numeric), []
    numeric = rows.numbers[:, :start]
    for column in manifest.tensors:
        tensors.append(rows.numbers[:, start : start + column.size])
        start += column.size
    return numeric, tensors


def _as_it_is(column: Column) -> Column:
    """A tensor whose numbers are standardised already."""
    if not isinstance(column, TensorColumn):
        return column
    return column.model_copy(update={"dtype": "float32", "codec": "list", "mean": 0.0, "scale": 1.0, "pad": False})


def _write(folder: Path, name: SplitName, rows: Rows, manifest: Manifest) -> list[DataFile]:
    path, groups = f"{name}/part-00000.parquet", -(-len(rows) // GROUP_ROWS)
    (folder / name).mkdir()
    pq.write_table(_table(rows, manifest), folder / path, row_group_size=GROUP_ROWS, use_dictionary=False)
    sizes = [min(GROUP_ROWS, len(rows) - group * GROUP_ROWS) for group in range(groups)]
    return [DataFile(path=path, row_groups=sizes)]


def _table(rows: Rows, manifest: Manifest) -> pa.Table:
    numeric, tensors = laid_out(rows, manifest)
    arrays: dict[str, Any] = dict(zip(manifest.numeric, numeric.T, strict=True))
    arrays |= zip((column.name for column in manifest.categorical), rows.codes.T, strict=True)
    for column, values in zip(manifest.tensors, tensors, strict=True):
        ends = pa.array(np.arange(len(rows) + 1, dtype=np.int32) * column.size, pa.int32())
        arrays[column.name] = pa.ListArray.from_arrays(ends, pa.array(values.ravel()))
    arrays[manifest.label.name] = rows.label.astype(np.int32 if manifest.label.classes else np.float32)
    if rows.where is not None:
        arrays[WHERE] = rows.where
    return pa.table({name: np.ascontiguousarray(v) if isinstance(v, np.ndarray) else v for name, v in arrays.items()})
