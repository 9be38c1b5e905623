"""A file of a split as Petastorm sees it, which looks at all that lies in a folder whenever a reader is opened."""

from io import BytesIO
from typing import Any

DESCRIPTION = "_common_metadata"


class Alone:
    """A file system with one file, `/split/name`, and with the description beside it if there is one.

    It has what is asked of fsspec's. The description is of the whole split and is handed over: nothing is listed.
    """

    def __init__(self, system: Any, root: str, path: str, description: bytes | None = None) -> None:
        """Show the file `path` of the folder `root` of another file system."""
        self._system, self._root, self._file = system, root, f"/{path}"
        self._folder = self._file.rpartition("/")[0]
        self._described = {} if description is None else {f"{self._folder}/{DESCRIPTION}": description}

    @staticmethod
    def _strip_protocol(path: str) -> str:
        return path

    def isdir(self, path: str) -> bool:
        """Whether it is the file's folder."""
        return path == self._folder

    def find(self, folder: str) -> list[str]:
        """What is in the folder."""
        return [path for path in (*self._described, self._file) if path.startswith(f"{folder}/")]

    def open(self, path: str, mode: str = "rb") -> Any:
        """Open the file, or the description."""
        if path in self._described:
            return BytesIO(self._described[path])
        return self._system.open(f"{self._root}{path}", mode)
