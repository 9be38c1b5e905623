"""What Petastorm sees as `pyarrow.filesystem` and `pyarrow.hdfs`."""

from typing import Any

from fsspec.implementations.local import LocalFileSystem

__all__ = ["HadoopFileSystem", "LocalFileSystem", "connect"]


class HadoopFileSystem:
    """Named by Petastorm for `isinstance`; nobody makes one."""


def connect(*_: Any, **__: Any) -> HadoopFileSystem:
    """Refuse.

    Raises:
        NotImplementedError: always: other file systems are reached through fsspec.

    """
    raise NotImplementedError("give Petastorm the file system as `filesystem=`, such as fsspec's")
