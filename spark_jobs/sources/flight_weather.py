"""Weather as it was known when a flight was to depart: that of the hours before, here and at the other airports."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from spark_jobs.dataset import as_number

AIRPORTS = ("EWR", "JFK", "LGA")
HOUR_SECONDS = 3600
MEASURED = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")
WEATHER = (
    *("temperature_change", "pressure_change", "precipitation_6h"),
    *(f"{airport.lower()}_pressure" for airport in AIRPORTS),
)
SEEN = ("weather_rows", *(f"weather_{name}" for name in MEASURED), *WEATHER)


def weathered(weather: DataFrame) -> DataFrame:
    """Make what was known of the weather at the beginning of each hour.

    Observations of an hour are made near its end: those of the hour before are the last that are known. Of two rows for
    an hour, which `weather_rows` counts, one is taken.

    Returns:
        One row for each `origin` and `hour` (since 1970 UTC): `weather_NAME` for each of `MEASURED`, in its own unit;
        `temperature_change` and `pressure_change` over three hours; `precipitation_6h`; `AIRPORT_pressure`.

    """
    observed = F.floor(F.unix_seconds(F.col("time_hour").try_cast("timestamp")) / HOUR_SECONDS)
    one = F.min(F.struct(*MEASURED)).alias("one")
    hours = (
        weather.withColumn("hour", observed + 1)
        .where(F.col("hour").isNotNull() & F.col("origin").isNotNull())
        .groupBy("origin", "hour")
        .agg(one, F.count("*").alias("weather_rows"))
        .select(
            "origin",
            "hour",
            "weather_rows",
            *(as_number(F.col(f"one.{name}")).alias(f"weather_{name}") for name in MEASURED),
        )
    )
    here = Window.partitionBy("origin").orderBy("hour")
    everywhere = Window.partitionBy("hour")

    def last(of: str, hours: int) -> Column:
        return F.col(f"weather_{of}") - F.max(f"weather_{of}").over(here.rangeBetween(-hours, -hours))

    return hours.withColumns(
        {
            "temperature_change": last("temp", 3),
            "pressure_change": last("pressure", 3),
            "precipitation_6h": F.sum("weather_precip").over(here.rangeBetween(-5, 0)),
            **{
                f"{airport.lower()}_pressure": F.max(
                    F.when(F.col("origin") == airport, F.col("weather_pressure"))
                ).over(everywhere)
                for airport in AIRPORTS
            },
        }
    )
