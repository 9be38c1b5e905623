"""What Petastorm sees as `pyarrow.filesystem` and `pyarrow.hdfs`."""

from typing import Any

from fsspec.implementations.local import LocalFileSystem

from conf.errors import FranklinError

__all__ = ["HadoopFileSystem", "LocalFileSystem", "connect"]


class HadoopFileSystem:
    """Named by Petastorm for `isinstance`; nobody makes one."""


def connect(*_: Any, **__: Any) -> HadoopFileSystem:
    """Refuse.

    Raises:
        FranklinError: always: other file systems are reached through fsspec.

    """
    raise FranklinError("Petastorm has no HDFS of its own here: give it fsspec's file system as `filesystem=`")
