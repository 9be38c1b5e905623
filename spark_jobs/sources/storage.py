"""What Python sees of files: which there are, how they begin, and what tells their contents apart."""

import zipfile
from pathlib import Path
from typing import IO, Protocol

import fsspec
from fsspec.implementations.local import LocalFileSystem
from fsspec.utils import infer_compression

from conf.errors import FranklinError, closest
from conf.manifest import InputFile
from conf.places import Place, is_url

# Spark passes over files whose names start so.
HIDDEN = (".", "_")
LINE_BYTES = 1 << 20
LOOKING = 8  # threads that read the ends of files, which takes waiting


class Storage(Protocol):
    """Files as whoever looks sees them: Python, or Spark (`spark_jobs.sources.far`)."""

    def find(self, path: str, *, deep: bool = True) -> list[str]:
        """List the file at `path`, or those of the folder there (with those of folders below), in a fixed order."""

    def open(self, file: str) -> IO[bytes]:
        """Open a file as it is stored."""

    def first_line(self, file: str) -> bytes:
        """Read the first line of a text file, unpacked."""

    def last_line(self, file: str) -> bytes:
        """Read the last line of a text file that is not blank, unpacked."""

    def identify(self, file: str) -> InputFile:
        """Tell what the file system says of a file."""


def listed(place: Place) -> bool:
    """Whether Python is to list the place: local files, and far ones unless their version is said."""
    return place.local or (place.version is None and reachable(place))


def reachable(place: Place) -> bool:
    """Whether Python has what it takes to list the place, such as `s3fs` for s3:// and s3a://."""
    if place.of_database:
        return False
    try:
        fsspec.core.url_to_fs(place.path or "")
    except (ImportError, ValueError, OSError):  # a package is missing, nobody knows the scheme, or libhdfs is missing
        return False
    return True


class PythonStorage:
    """Files as `fsspec` sees them."""

    def __init__(self, path: str) -> None:
        """See the file system of `path` (of this machine, if empty) anew: what it was a while ago does not count."""
        self.system, _ = fsspec.core.url_to_fs(path)
        self.system.invalidate_cache()

    def find(self, path: str, *, deep: bool = True) -> list[str]:
        """List files, hidden ones left out.

        Raises:
            FranklinError: Nothing is there (the nearest name beside it is suggested), or it cannot be listed.

        """
        try:
            if self.system.info(path)["type"] == "file":
                return [path]
            root = self.system._strip_protocol(path).rstrip("/")  # noqa: SLF001, fsspec has no other way
            return [
                self.system.unstrip_protocol(file) if is_url(path) else file
                for file in sorted(self.system.find(path, maxdepth=None if deep else 1))
                if not any(part.startswith(HIDDEN) for part in Path(file.removeprefix(f"{root}/")).parts)
            ]
        except FileNotFoundError:
            raise FranklinError(f"{path} does not exist{self._nearest(path)}") from None
        except Exception as error:  # each package has errors of its own for a wrong key or a server that is away
            if isinstance(self.system, LocalFileSystem):
                raise
            raise FranklinError(
                f"{path} cannot be listed ({first_line(error)}); give Python the address and key that Spark has, "
                "or say `version`, and only Spark looks"
            ) from error

    def open(self, file: str) -> IO[bytes]:
        """Open a file as it is stored."""
        opened: IO[bytes] = self.system.open(file, "rb")
        return opened

    def first_line(self, file: str) -> bytes:
        """Read the first line of a text file, unpacked.

        Raises:
            FranklinError: It is packed and damaged.

        """
        try:
            with self.system.open(file, "rb", compression="infer") as opened:
                line: bytes = opened.readline(LINE_BYTES)
        except (OSError, EOFError, zipfile.BadZipFile) as error:
            raise FranklinError(
                f"{file} is damaged and cannot be unpacked ({first_line(error)}); write it anew"
            ) from None
        return line

    def last_line(self, file: str) -> bytes:
        """Read the last line of a text file that is not blank, unpacked; a packed one is read to its end for it."""
        with self.system.open(file, "rb", compression="infer") as opened:
            if infer_compression(file) is None:
                opened.seek(max(0, self.system.size(file) - LINE_BYTES))
            try:
                end = b""
                while block := opened.read(LINE_BYTES):
                    end = end[-LINE_BYTES:] + block
            except (OSError, EOFError):  # it is damaged, which Spark says when it gets there
                return b""
        return end.rstrip().rpartition(b"\n")[2]

    def identify(self, file: str) -> InputFile:
        """Tell what the file system says of a file."""
        info = self.system.info(file)
        version = info.get("ETag") or info.get("etag") or self.system.modified(file).isoformat()
        return InputFile(path=file, bytes=info["size"], version=version)

    def _nearest(self, path: str) -> str:
        stripped = self.system._strip_protocol(path)  # noqa: SLF001, fsspec has no other way
        parent, _, name = stripped.rstrip("/").rpartition("/")
        if not self.system.exists(parent or "/"):
            return f", nor does its folder {parent}"
        siblings = [entry.rstrip("/").rpartition("/")[2] for entry in self.system.ls(parent or "/", detail=False)]
        close = closest(name, siblings)
        return f"; did you mean {parent}/{close}?" if close else f"; its folder is {parent}"


def first_line(error: BaseException) -> str:
    """Shorten what a library says."""
    return str(error).strip().split("\n", 1)[0]
