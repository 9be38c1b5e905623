"""What a feature set is made of, in one number: same fingerprint, same feature set. Never starts Spark."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

import fsspec

import conf.manifest
import conf.schema
from conf.manifest import InputFile
from conf.schema import Data
from spark_jobs.locate import files

# Libraries that have a say in the rows: Spark computes them, pandas carries some.
LIBRARIES = ("pyspark", "pandas")


def inputs(data: Data) -> list[InputFile]:
    """Identify each input file by what its file system says of it; no file is read.

    Raises:
        FranklinError: A file is missing; the nearest name beside it is suggested.

    """
    return [_identify(path) for path in files(data)]


def fingerprint(data: Data) -> str:
    """Return the hexadecimal SHA-256 of the inputs, the data configuration and the code that decides the rows.

    The code is this package, the contracts `conf.manifest` and `conf.schema`, and the versions of `LIBRARIES`.

    Raises:
        FranklinError: A file is missing; the nearest name beside it is suggested.

    """
    sources = [*sorted(Path(__file__).parent.glob("*.py")), *map(Path, (conf.manifest.__file__, conf.schema.__file__))]
    facts = {
        "inputs": [file.model_dump() for file in inputs(data)],
        "data": data.model_dump(mode="json"),
        "code": {source.name: hashlib.sha256(source.read_bytes()).hexdigest() for source in sources},
        "libraries": {name: version(name) for name in LIBRARIES},
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _identify(path: str) -> InputFile:
    system, inside = fsspec.core.url_to_fs(path)
    info = system.info(inside)
    version = info.get("ETag") or system.modified(inside).isoformat()
    return InputFile(path=path, bytes=info["size"], version=version)
