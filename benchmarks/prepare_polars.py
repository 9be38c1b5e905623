"""The work of `spark_jobs.prepare` on flights, in Polars alone: `python prepare_polars.py FLIGHTS OUT`."""

import math
import sys
from pathlib import Path

import polars as pl

LATE_MINUTES = 15


def read(folder: Path, name: str) -> pl.LazyFrame:
    """Read one of the tables, every value a string."""
    return pl.scan_csv(folder / f"{name}.csv", null_values="NA", infer_schema=False)


def number(name: str) -> pl.Expr:
    """Read a column as a number."""
    return pl.col(name).cast(pl.Float64, strict=False)


def minutes(name: str) -> pl.Expr:
    """Minutes since midnight of a time written as 2359."""
    written = pl.col(name).cast(pl.Int64)
    return ((written // 100 * 60 + written % 100) % 1440).cast(pl.Float64)


def joined(folder: Path) -> pl.LazyFrame:
    """One row for each flight, with weather, plane, airport, airline and holidays."""
    flights = read(folder, "flights").with_columns(
        pl.date(pl.col("year").cast(pl.Int32), pl.col("month").cast(pl.Int32), pl.col("day").cast(pl.Int32)).alias(
            "date"
        ),
        pl.len().over("origin", "time_hour").cast(pl.Float64).alias("departures_scheduled"),
    )
    weather = read(folder, "weather").drop("year", "month", "day", "hour").unique(["origin", "time_hour"])
    planes = read(folder, "planes").rename({"year": "built"})
    airports = read(folder, "airports").rename({"faa": "dest", "name": "airport"})
    holidays = read(folder, "holidays").with_columns(pl.col("date").str.to_date())
    return (
        flights.join(weather, on=["origin", "time_hour"], how="left")
        .join(planes, on="tailnum", how="left")
        .join(airports, on="dest", how="left")
        .join(read(folder, "airlines"), on="carrier", how="left")
        .join(holidays, on="date", how="left")
    )


def derived(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The features of the job, the label and the split."""
    departure, arrival, day = minutes("sched_dep_time"), minutes("sched_arr_time"), 2 * math.pi / 1440
    wind, speed, zone = number("wind_dir").radians(), number("wind_speed"), number("tz")
    return rows.select(
        pl.col("date").dt.strftime("%a").alias("day_of_week"),
        number("days_to_holiday").clip(upper_bound=14),
        number("days_since_holiday").clip(upper_bound=14),
        departure.alias("departure_minute"),
        (departure * day).sin().alias("departure_sin"),
        (departure * day).cos().alias("departure_cos"),
        (departure // 60).cast(pl.Int64).cast(pl.String).alias("departure_hour"),
        arrival.alias("arrival_minute"),
        ((arrival - departure - 60 * (zone + 5)) % 1440).alias("scheduled_minutes"),
        "departures_scheduled",
        "origin",
        "dest",
        number("distance"),
        number("lat").alias("dest_latitude"),
        number("lon").alias("dest_longitude"),
        number("alt").alias("dest_altitude"),
        zone.alias("dest_zone"),
        pl.coalesce("name", "carrier").alias("airline"),
        (number("year") - number("built")).alias("plane_age"),
        pl.col("type").alias("plane_type"),
        pl.col("manufacturer").alias("plane_manufacturer"),
        pl.col("model").alias("plane_model"),
        pl.col("engine").alias("plane_engine"),
        number("engines").alias("plane_engines"),
        number("seats").alias("plane_seats"),
        number("temp").alias("temperature"),
        number("dewp").alias("dew_point"),
        number("humid").alias("humidity"),
        (speed * wind.cos()).alias("wind_from_north"),
        (speed * wind.sin()).alias("wind_from_east"),
        speed.alias("wind_speed"),
        number("wind_gust"),
        number("precip").alias("precipitation"),
        number("pressure"),
        number("visib").alias("visibility"),
        (number("arr_delay") > LATE_MINUTES).cast(pl.Int32).alias("late"),
        pl.when(pl.col("date") < pl.date(2013, 9, 1))
        .then(pl.lit("train"))
        .when(pl.col("date") < pl.date(2013, 11, 1))
        .then(pl.lit("validation"))
        .otherwise(pl.lit("test"))
        .alias("split"),
    ).filter(pl.col("late").is_not_null())


def main(folder: Path, out: Path) -> None:
    """Read, join, derive, split by date, standardise, index, write Parquet."""
    rows = derived(joined(folder)).collect(engine="streaming")
    train = rows.filter(pl.col("split") == "train")
    numbers = [name for name, kind in rows.schema.items() if kind == pl.Float64]
    words = [name for name, kind in rows.schema.items() if kind == pl.String and name != "split"]
    scaled = [
        ((pl.col(name) - train[name].mean()) / (train[name].std(ddof=0) or 1.0)).fill_null(0).cast(pl.Float32)
        for name in numbers
    ]
    missing = [pl.col(name).is_null().cast(pl.Float32).alias(f"{name}__missing") for name in numbers]
    codes = []
    for name in words:
        values = train[name].drop_nulls().value_counts(sort=True)[name]
        codes.append(
            pl.when(pl.col(name).is_null())
            .then(1)
            .otherwise(pl.col(name).replace_strict(values, range(3, len(values) + 3), default=0, return_dtype=pl.Int32))
            .cast(pl.Int32)
            .alias(name)
        )
    for split in ("train", "validation", "test"):
        part = rows.lazy().filter(pl.col("split") == split).select(*scaled, *missing, *codes, "late")
        part.sink_parquet(out / f"{split}.parquet", compression="zstd", row_group_size=16_384)
    rows.filter(pl.col("split") == "test").drop("split").write_parquet(out / "holdout.parquet", compression="zstd")
    print(len(rows))


if __name__ == "__main__":
    Path(sys.argv[2]).mkdir(parents=True)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
