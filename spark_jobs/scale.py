"""More flights than there were: `python -m spark_jobs.scale TIMES FOLDER [--memory 2g] [--flights FOLDER]`.

The real year is repeated with other dates, flight numbers and weather, and with fresh noise on delays, times in the air
and measurements, so that no two copies are alike and every copy joins as the first does. Copy number k is k weeks of 52
earlier, back to 1988, and from there on again in 2013 under other flight numbers.
"""

import argparse
import shutil
from math import inf
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from conf.spark import LocalSpark
from spark_jobs.session import session
from spark_jobs.sources.delimited import read_csv
from spark_jobs.sources.lines import UNFIT, UNREADABLE
from spark_jobs.sources.locate import flights_files

YEARS = 26  # 1988 to 2013, for which holidays are known
DAYS = 364  # whole weeks, so that each flight keeps its day of the week
NUMBERS = 10_000  # added to the flight numbers of a further round; real ones have four digits at most
# Column -> standard deviation of the noise, in the column's own unit (minutes, degrees, per cent, miles an hour, ...).
NOISE = {
    "flights": {"arr_delay": 5.0, "air_time": 2.0},
    "weather": {"temp": 1.0, "dewp": 1.0, "humid": 2.0, "wind_speed": 1.0, "pressure": 0.5},
}
LEAST = {"air_time": 1.0}


def scale(spark: SparkSession, times: int, folder: Path, flights: str | None = None) -> None:
    """Write the five tables with `times` as many flights into `folder`, as CSV."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, file in flights_files(flights).items():
        rows = read_csv(spark, [file], {"nullValue": "NA"}).drop(UNREADABLE, UNFIT)
        if name == "flights":
            write(repeated(rows, times), folder / "flights.csv")
        elif name == "weather":
            write(repeated(rows, min(times, YEARS)), folder / "weather.csv")
        else:
            write(rows, folder / f"{name}.csv")


def repeated(rows: DataFrame, times: int) -> DataFrame:
    """Repeat flights or weather with other dates and fresh noise; copy 0 is as it was."""
    name = "flights" if "flight" in rows.columns else "weather"
    copies = rows.sparkSession.range(times).withColumnRenamed("id", "__copy")
    many = rows.crossJoin(F.broadcast(copies))
    back = (F.col("__copy") % YEARS * -DAYS).cast("int")
    moved = F.date_add(F.make_date(*(F.col(part).cast("int") for part in ("year", "month", "day"))), back)
    hour = F.to_timestamp("time_hour") + F.make_dt_interval(days=back)
    changed: dict[str, Column] = {
        "year": F.year(moved),
        "month": F.month(moved),
        "day": F.dayofmonth(moved),
        "time_hour": F.date_format(hour, "yyyy-MM-dd'T'HH:mm:ss'Z'"),
    }
    if name == "flights":
        changed["flight"] = F.col("flight").cast("int") + F.floor(F.col("__copy") / YEARS) * NUMBERS
    for seed, (noisy, deviation) in enumerate(NOISE[name].items()):
        noise = F.when(F.col("__copy") == 0, 0.0).otherwise(F.randn(seed) * deviation)
        value = F.col(noisy).cast("double") + noise
        least = F.when(value.isNotNull(), LEAST.get(noisy, -inf))
        changed[noisy] = F.greatest(F.rint(value) if name == "flights" else value, least)
    return many.select(*(changed.get(column, F.col(column)).alias(column) for column in rows.columns))


def write(rows: DataFrame, file: Path) -> None:
    """Write one CSV file with a header."""
    parts = file.with_suffix(".parts")
    rows.write.csv(str(parts), mode="overwrite", nullValue="NA", emptyValue="")
    with file.open("wb") as whole:
        header = ",".join(rows.columns)
        whole.write(f"{header}\n".encode())
        for part in sorted(parts.glob("part-*")):
            with part.open("rb") as opened:
                shutil.copyfileobj(opened, whole, 1 << 20)
            part.unlink()
    shutil.rmtree(parts)


def main() -> None:
    """Read the command line, write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("times", type=int, help="copies of the year")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--memory", default="2g", help="heap of the driver")
    parser.add_argument("--flights", help="folder of the five tables; the package's own by default")
    options = parser.parse_args()
    settings = LocalSpark(
        name="local", master="local[*]", memory=options.memory, shuffle_partitions=8, jars=[], conf={}
    )
    with session(settings) as spark:
        scale(spark, options.times, options.folder, options.flights)


if __name__ == "__main__":
    main()
