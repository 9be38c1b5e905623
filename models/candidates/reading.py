"""From a feature set's Parquet to rows."""

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from errno import ENOSPC
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem
from numpy.typing import NDArray

from conf.columns import Target, TensorColumn
from conf.errors import FranklinError
from conf.manifest import DataFile, Manifest, SplitName
from models.candidates.rows import Columns, Rows
from models.maps import private

WHERE = "__where"  # the column of `Manifest.where`


def columns_of(manifest: Manifest) -> Columns:
    """Say what the columns of a feature set's rows are.

    Raises:
        FranklinError: it is of sequences, whose labels are in their tokens.

    """
    if manifest.task == "sequence":
        raise FranklinError(f"{manifest.name} is of sequences, for which there are no candidates; train a network")
    flat = [f"{column.name}[{place}]" for column in manifest.tensors for place in range(column.size)]
    return Columns(
        task=manifest.task,
        numbers=(*manifest.numeric, *flat),
        codes=tuple(column.name for column in manifest.categorical),
        cardinalities=tuple(column.cardinality for column in manifest.categorical),
        classes=tuple(manifest.label.classes),
        where=manifest.where,
    )


def flattered(manifest: Manifest) -> list[str]:
    """Say of which columns the folds know too much, in one line; []: of none.

    Those of `encoding: target` hold labels of train rows that a fold holds out. A feature set has their numbers alone,
    not the values they were made of, so that they can't be made anew from the rows that a fold learns from.
    """
    names = [column.name for column in manifest.columns if isinstance(column, Target)]
    if not names:
        return []
    told = (
        f"folds, and all that is chosen by them, flatter {', '.join(names)} (encoding: target): the numbers were made "
        "of the labels of all train rows, also of those that a fold holds out and of later ones; test does not. For "
        "folds that don't either, say encoding: vocabulary or encoding: hash"
    )
    return [told]


def read_rows(folder: str, manifest: Manifest, splits: Sequence[SplitName]) -> Rows:
    """Read splits, one after the other, in the order of their files.

    Beside the rows themselves, a row group is in memory at a time.

    Args:
        folder: of the feature set, any URL of fsspec.
        manifest: of it.
        splits: names of them; an empty one has no rows.

    Raises:
        FranklinError: it is of sequences, or a label is no finite number.

    """
    return _read(folder, manifest, splits, lambda _, shape, dtype: np.empty(shape, dtype))


def map_rows(folder: str, manifest: Manifest, splits: Sequence[SplitName], aside: Path) -> Rows:
    """Read splits as `read_rows` does, but lay numbers and codes in files that are mapped: memory holds what is used.

    Labels and places are in memory. The files have no name and go with the process; who writes into the arrays changes
    a copy of its own.

    Args:
        folder: of the feature set, any URL of fsspec.
        manifest: of it.
        splits: names of them; an empty one has no rows.
        aside: a folder on a disk of this machine, made if need be.

    Raises:
        FranklinError: it is of sequences, a label is no finite number, or the disk has no room.

    """
    aside.mkdir(parents=True, exist_ok=True)
    with ExitStack() as opened:
        files = {}

        def laid(name: str, shape: tuple[int, int], dtype: type) -> NDArray[Any]:
            if 0 in shape:
                return np.empty(shape, dtype)
            file = files[name] = opened.enter_context(tempfile.TemporaryFile(dir=aside))
            _make_room(file.fileno(), int(np.prod(shape)) * np.dtype(dtype).itemsize, aside)
            return np.memmap(file, dtype, "r+", shape=shape)

        def own(name: str, shared: NDArray[Any]) -> NDArray[Any]:
            if name not in files:
                return shared
            return np.frombuffer(private(files[name].fileno(), shared.nbytes), shared.dtype).reshape(shared.shape)

        found = _read(folder, manifest, splits, laid)
        return replace(found, numbers=own("numbers", found.numbers), codes=own("codes", found.codes))


def _make_room(file: int, size: int, folder: Path) -> None:
    """Have the disk keep so many bytes for a file: writing into a map that finds none later ends the process."""
    try:
        os.posix_fallocate(file, 0, size)
    except OSError as error:
        if error.errno != ENOSPC:
            raise
        free = shutil.disk_usage(folder).free
        raise FranklinError(
            f"rows laid in {folder} take {size / 2**20:,.0f} MiB, and {free / 2**20:,.0f} are free: make room, or name "
            "another disk in FRANKLIN_HOME"
        ) from None


def _read(
    folder: str,
    manifest: Manifest,
    splits: Sequence[SplitName],
    room: Callable[[str, tuple[int, int], type], NDArray[Any]],
) -> Rows:
    files = [file for split in splits for file in manifest.splits[split].files]
    rows, columns = sum(file.rows for file in files), columns_of(manifest)
    found = Rows(
        columns=columns,
        numbers=room("numbers", (rows, len(columns.numbers)), np.float32),
        codes=room("codes", (rows, len(columns.codes)), np.int32),
        label=np.empty(rows, np.float64),
        where=np.empty(rows, np.int64) if columns.where else None,
    )
    filesystem, root = fsspec.core.url_to_fs(folder)
    done = 0
    for file in files:
        for batch in _batches(filesystem, root, file, manifest):
            _fill(found, slice(done, done + len(batch)), batch, manifest)
            done += len(batch)
    if not np.isfinite(found.label).all():
        raise FranklinError(f"{folder} has rows whose label {manifest.label.name} is no number; prepare it anew")
    return found


def _batches(filesystem: Any, root: str, file: DataFile, manifest: Manifest) -> Any:
    names = [*manifest.numeric, *(column.name for column in (*manifest.tensors, *manifest.categorical))]
    names += [manifest.label.name, *([WHERE] if manifest.where else [])]
    local = isinstance(filesystem, LocalFileSystem)
    with pq.ParquetFile(
        f"{root}/{file.path}", filesystem=None if local else filesystem, pre_buffer=not local
    ) as parquet:
        for group in range(len(file.row_groups)):  # in this thread: the engine forks, and others' threads do not follow
            yield from parquet.read_row_group(group, columns=names, use_threads=False).to_batches()


def _fill(rows: Rows, places: slice, batch: pa.RecordBatch, manifest: Manifest) -> None:
    for place, name in enumerate(manifest.numeric):
        rows.numbers[places, place] = _numbers(batch.column(name))
    start = len(manifest.numeric)
    for column in manifest.tensors:
        rows.numbers[places, start : start + column.size] = _tensor(batch.column(column.name), column)
        start += column.size
    for place, coded in enumerate(manifest.categorical):
        rows.codes[places, place] = _numbers(batch.column(coded.name))
    rows.label[places] = _numbers(batch.column(manifest.label.name))
    if rows.where is not None:
        rows.where[places] = _numbers(batch.column(WHERE))


def _numbers(column: pa.Array) -> NDArray[Any]:
    """View numbers without nulls; `to_numpy` would import pandas."""
    return np.from_dlpack(column)


def _tensor(stored: pa.Array, column: TensorColumn) -> NDArray[np.float32]:
    """Read `(rows, size)` numbers as a network gets them: standardised, or tokens as they are (`models.tensors`)."""
    if column.codec == "list":
        values = _numbers(stored.flatten())
    else:  # what NumPy's `save` wrote: a header, the same for every row of a column, and then the numbers
        _, offsets, content = stored.buffers()
        ends = np.frombuffer(offsets, np.int32, len(stored) + 1, stored.offset * 4)
        saved = np.frombuffer(content, np.uint8, ends[-1] - ends[0], ends[0]).reshape(len(stored), -1)
        values = np.ascontiguousarray(saved[:, -column.size * np.dtype(column.dtype).itemsize :]).view(column.dtype)
    flat = values.reshape(len(stored), column.size).astype(np.float32)
    if column.dtype == "int32":
        return flat
    return (flat - np.float32(column.mean)) / np.float32(column.scale)
