"""What a feature set is made of, in one number: same fingerprint, same feature set. Never starts Spark."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import conf
from conf.data import Data
from conf.manifest import InputFile
from conf.places import Place
from spark_jobs.sources.days import chosen
from spark_jobs.sources.locate import digits_file, flights_files, said, table_files, topics_file
from spark_jobs.sources.storage import PythonStorage, listed, reachable

# Libraries that have a say in the rows: Spark computes them, pandas carries some, Petastorm describes tensors.
LIBRARIES = ("pyspark", "pandas", "petastorm")
FITTING = ("fitting", "fits.py", "unlabelled")
CONTRACTS = ("data", "places", "kinds", "checks", "splits", "columns", "manifest", "profile")


def pinned(data: Data, run: str) -> Data:
    """Give each place whose contents nobody can tell unread, and nobody has said, this run as its version.

    So another run reads it anew, and the same run, tried again, finds what it has made.
    """
    changed: dict[str, object] = {"joins": [_pinned(join, run) for join in data.joins]}
    return _pinned(data.model_copy(update=changed), run)


def inputs(data: Data) -> list[InputFile]:
    """Identify each input: files by what their file system says of them, the others by their version. None is read.

    Raises:
        FranklinError: A file is missing; the nearest name beside it is suggested.
        ValueError: A place has no version though nobody can tell its contents unread: see `pinned`.

    """
    return [file for place in data.places for file in _identify(place, data)]


def fingerprint(data: Data) -> str:
    """Return the hexadecimal SHA-256 of the inputs, the data configuration and the code that decides the rows.

    The code is this package without what fits candidates (`FITTING`), the contracts that it shares (`CONTRACTS`) and
    the versions of `LIBRARIES`.

    Raises:
        FranklinError: A file is missing; the nearest name beside it is suggested.

    """
    room = Path(__file__).parent
    decides = (source for source in room.rglob("*.py") if not {*source.relative_to(room).parts} & {*FITTING})
    sources = [*sorted(decides), *(Path(conf.__path__[0]) / f"{name}.py" for name in CONTRACTS)]
    facts = {
        "inputs": [file.model_dump() for file in inputs(data)],
        "data": data.model_dump(mode="json"),
        "code": {"/".join(source.parts[-2:]): hashlib.sha256(source.read_bytes()).hexdigest() for source in sources},
        "libraries": {name: version(name) for name in LIBRARIES},
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


P = TypeVar("P", bound=Place)


def _pinned(place: P, run: str) -> P:
    if place.version is not None or reachable(place):
        return place
    return place.model_copy(update={"version": f"read by run {run}"})


def _identify(place: Place, data: Data) -> list[InputFile]:
    if not listed(place):
        if place.version is None:
            raise ValueError(f"{place.path} has no version, and is not pinned to a run")
        path = f"{place.path} table {place.table}" if place.of_database else str(place.path)
        return [InputFile(path=path, bytes=None, version=place.version)]
    storage = PythonStorage(place.path or "")
    return [storage.identify(file) for file in _files(place, data, storage)]


def _files(place: Place, data: Data, storage: PythonStorage) -> list[str]:
    if data.source == "flights":
        return list(flights_files(place.path).values())
    if data.source == "digits":
        return storage.find(digits_file(place.path))
    if data.source == "text":
        return storage.find(place.path or topics_file())
    files, _ = table_files(said(place), place.format, storage.find(said(place)))
    return chosen(files, data) if place is data else files
