"""What Petastorm sees as `pyarrow.parquet`: the dataset of pieces that it was written for."""

import posixpath
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

HIDDEN = ("_", ".")
METADATA, COMMON_METADATA = "_metadata", "_common_metadata"


@dataclass
class Level:
    """A partition column: its name and the values seen, in order."""

    name: str
    keys: list[str] = field(default_factory=list)

    @property
    def dictionary(self) -> pa.Array:
        """The values, as integers if all are."""
        try:
            return pa.array([int(key) for key in self.keys])
        except ValueError:
            return pa.array(self.keys)

    def place(self, key: str) -> int:
        """Where a value stands, which is at the end if it is new."""
        if key not in self.keys:
            self.keys.append(key)
        return self.keys.index(key)


@dataclass
class Partitions:
    """The partition columns of a folder, outermost first."""

    levels: list[Level] = field(default_factory=list)

    @property
    def partition_names(self) -> set[str]:
        """Names of the columns."""
        return {level.name for level in self.levels}

    def __len__(self) -> int:
        """Count the columns."""
        return len(self.levels)

    def __getitem__(self, number: int) -> Level:
        """Give a column."""
        return self.levels[number]

    def places(self, folders: list[str]) -> list[tuple[str, int]]:
        """Take `name=value` folders in; their names, and where their values stand.

        Raises:
            ValueError: another folder has other columns.

        """
        found = []
        for number, folder in enumerate(folders):
            name, _, value = folder.partition("=")
            if number == len(self.levels):
                self.levels.append(Level(name))
            if self.levels[number].name != name:
                raise ValueError(f"partition columns differ: {name} and {self.levels[number].name}")
            found.append((name, self.levels[number].place(unquote(value))))
        return found


@dataclass
class ParquetDatasetPiece:
    """A file, or one of its row groups."""

    path: str
    open_file_func: Any = None
    file_options: Any = None
    row_group: int | None = None
    partition_keys: list[tuple[str, int]] | None = None

    def open(self) -> pq.ParquetFile:
        """Open the file."""
        opened = (self.open_file_func or LocalFileSystem().open)(self.path)
        return opened if isinstance(opened, pq.ParquetFile) else pq.ParquetFile(opened)

    def get_metadata(self) -> pq.FileMetaData:
        """Read the file's footer."""
        file = self.open()
        try:
            return file.metadata
        finally:
            file.close(force=True)

    def read(
        self, columns: Any = None, *, use_threads: bool = True, partitions: Partitions | None = None, **_: Any
    ) -> pa.Table:
        """Read columns, in the order of the file, and the partition columns behind them."""
        file = self.open()
        try:
            names = [name for name in file.schema_arrow.names if columns is None or name in set(columns)]
            if self.row_group is None:
                table = file.read(columns=names, use_threads=use_threads)
            else:
                table = file.read_row_group(self.row_group, columns=names, use_threads=use_threads)
        finally:
            file.close(force=True)
        for level, (name, place) in enumerate(self.partition_keys or []):
            places = pa.array(np.full(len(table), place, np.int32))
            dictionary = partitions.levels[level].dictionary if partitions else pa.nulls(0)
            table = table.append_column(name, pa.DictionaryArray.from_arrays(places, dictionary))
        return table


class ParquetDataset:
    """The files of a folder, or those of a list, as pieces in the order of their names."""

    def __init__(self, path_or_paths: str | list[str], filesystem: Any = None, **_: Any) -> None:
        """List the files; footers are read from `_metadata` and `_common_metadata` alone."""
        self.fs = filesystem or LocalFileSystem()
        self.paths = path_or_paths
        self.partitions: Partitions | None = None
        self.metadata_path = self.common_metadata_path = None
        if isinstance(path_or_paths, str) and self.fs.isdir(path_or_paths):
            self.pieces = self._walk(path_or_paths)
        else:
            files = [path_or_paths] if isinstance(path_or_paths, str) else list(path_or_paths)
            self.pieces = [ParquetDatasetPiece(path, self.fs.open) for path in files]
        self.metadata, self.common_metadata = map(self._footer, (self.metadata_path, self.common_metadata_path))

    def _walk(self, folder: str) -> list[ParquetDatasetPiece]:
        self.partitions = Partitions()
        root, pieces = self.fs._strip_protocol(folder).rstrip("/"), []  # noqa: SLF001, fsspec has no other way
        for path in sorted(self.fs.find(folder)):
            *folders, name = path[len(root) :].lstrip("/").split("/")
            if not folders and name == METADATA:
                self.metadata_path = path
            if not folders and name == COMMON_METADATA:
                self.common_metadata_path = path
            if not any(part.startswith(HIDDEN) for part in (*folders, name)) and posixpath.splitext(name)[1] != ".crc":
                pieces.append(ParquetDatasetPiece(path, self.fs.open, None, None, self.partitions.places(folders)))
        return pieces

    def _footer(self, path: str | None) -> pq.FileMetaData | None:
        if path is None:
            return None
        with self.fs.open(path, "rb") as file:
            return pq.read_metadata(file)


def __getattr__(name: str) -> Any:
    return getattr(pq, name)
