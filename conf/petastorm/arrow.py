"""What Petastorm sees as `pyarrow`."""

from typing import Any

import pyarrow as pa
from fsspec.implementations.local import LocalFileSystem

from conf.petastorm import filesystem, parquet

__all__ = ["LocalFileSystem", "filesystem", "hdfs", "localfs", "parquet"]

localfs = LocalFileSystem()
hdfs = filesystem


def __getattr__(name: str) -> Any:
    return getattr(pa, name)
