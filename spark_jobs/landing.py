"""Days that have been read once: each is kept as Parquet, and read again only when its files change.

    DAYS/2013-01-31-0123456789ab    a day as it was read, every line of it; the name ends in its identity

A day is written to a hidden name and renamed, so it is there whole or not at all.
"""

import hashlib
import json
import shutil
from dataclasses import replace
from datetime import date
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from conf.data import Data
from conf.errors import FranklinError
from spark_jobs.sources.days import by_day, wanted
from spark_jobs.sources.far import plain_url
from spark_jobs.sources.reading import Table, read_files
from spark_jobs.writing import DRAFT, SMALL, Draft, check_seen, full_disk, locked

# Of the configuration, what decides how a file is read: `path` decides which folders become columns.
READING = ("path", "format", "table", "options", "day")


def landed(spark: SparkSession, data: Data, table: Table, folder: str) -> DataFrame:
    """Land the days that are new or have changed, and return all that are wanted, with the day as a column.

    Args:
        spark: The session.
        data: The dataset.
        table: Its files, in folders of days.
        folder: Where days are kept.

    Raises:
        FranklinError: Two days have other columns, or others types of them, the files of one change while they are
            read, or the disk is full.

    """
    days = by_day(table.files, data.day or "")
    Path(folder).mkdir(parents=True, exist_ok=True)
    left = {path.name[1 : -len(DRAFT)] for path in Path(folder).glob(f".*{DRAFT}")}
    places = {}
    for day in wanted(days, data.window):
        # Of two runs, the second finds the day, as it is when its turn comes.
        with full_disk(folder), locked(Path(folder) / f".{day}.lock"):
            for name in left:
                if name.startswith(f"{day}-"):  # of a run that was killed
                    _remove(Path(folder) / f".{name}{DRAFT}")
            places[day] = _landed(spark, data, replace(table, files=days[day]), day, folder)
    _check_alike(places)
    return spark.read.parquet(*map(plain_url, places.values()))


def _landed(spark: SparkSession, data: Data, table: Table, day: date, folder: str) -> str:
    """Return where the day is, once it is there; of one that fails nothing is left."""
    identity = _identity(table, data)
    place = f"{folder}/{day}-{identity}"
    if Path(place).exists():
        return place
    draft, read = Draft(place), Observation()
    rows = read_files(spark, table, table.files).withColumn(data.day or "", F.lit(day))
    try:
        rows.observe(read, F.count(F.lit(1)).alias("rows")).write.parquet(draft.url, compression=SMALL)
        check_seen(draft.url)
        written = sum(pq.read_metadata(file).num_rows for file in Path(draft.hidden).glob("*.parquet"))
        if written != read.get["rows"]:
            raise RuntimeError(f"{read.get['rows']} rows came in, {written} are in {draft.hidden}")
        if _identity(table, data) != identity:
            raise FranklinError(f"the files of {data.day}={day} changed while they were read; run again")
        Path(draft.hidden).rename(place)
    finally:
        _remove(Path(draft.hidden))
    return place


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _identity(table: Table, data: Data) -> str:
    """Return twelve digits that change with a day's files, how they are read, and the code that reads them."""
    room = Path(__file__).parent
    code = [room / "landing.py", *sorted((room / "sources").glob("*.py"))]
    facts = {
        "files": [table.storage.identify(file).model_dump() for file in table.files],
        "reading": data.model_dump(mode="json", include=set(READING)),
        "code": [hashlib.sha256(source.read_bytes()).hexdigest() for source in code],
        "pyspark": version("pyspark"),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


def _check_alike(places: dict[date, str]) -> None:
    schemas = {day: pq.read_schema(next(Path(place).glob("*.parquet"))) for day, place in places.items()}
    (first, expected), *others = schemas.items()
    for day, schema in others:
        if difference := _difference(expected, schema):
            raise FranklinError(
                f"{day} has {difference} {first}; write one of them anew, or leave it out by data.window"
            )


def _difference(expected: pa.Schema, schema: pa.Schema) -> str | None:
    for name in sorted({*expected.names, *schema.names}):
        if name not in schema.names:
            return f"no column '{name}', unlike"
        if name not in expected.names:
            return f"a column '{name}', unlike"
        if (kind := schema.field(name).type) != (other := expected.field(name).type):
            return f"'{name}' as {kind}, not as {other} like"
    return None
