"""When each flight was to leave and land and when it did, in minutes: what features of other flights are made of."""

from uuid import uuid4

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from spark_jobs.dataset import as_number
from spark_jobs.session import UNPACKED
from spark_jobs.sources.far import plain_url
from spark_jobs.writing import SMALL, check_seen

FLIGHT = ("origin", "time_hour", "carrier", "flight")  # there is one flight of each
DAY_MINUTES, HOUR_MINUTES = 1_440, 60
# A slot is a stretch of so many minutes since 1970 UTC, counted from so many on. Days begin at 8:00 UTC, when New York
# sleeps.
SLOTS = {"quarter": (15, 0), "hour": (HOUR_MINUTES, 0), "day": (DAY_MINUTES, 480)}
ZONE, FARTHEST_WEST = 5, 6  # hours that New York is behind UTC, as airports have it, and others are behind it


def timed(flights: DataFrame, airports: DataFrame, planned: Column, sound: Column) -> DataFrame:
    """Say when each flight was to be where, and when it was.

    Args:
        flights: As they were read, each once.
        airports: `dest` with its `lat`, `lon` and `tz`, each once.
        planned: Whether the schedule of a flight is right; others are left out.
        sound: Whether all of it is; of others, nothing is known but the schedule.

    Returns:
        `origin`, `time_hour`, `carrier`, `flight`, `dest`, `tailnum` and `sector` (about 8 by 8 degrees around the
        destination); `at`, `departed` and `landed`, minutes since 1970 UTC; `minutes` from departure to arrival by the
        schedule; `departure_delay`, `arrival_delay`, `air_time` (minutes) and `miles`; the slots of `at`. All but the
        names are whole numbers, whose sums are the same in any order, and null where nobody knows them. Who left early
        counts as gone from its time on, lest a flight be told of itself.

    """
    departure, arrival = clock("sched_dep_time"), clock("sched_arr_time")
    zone = as_number(F.col("tz"))
    at = F.unix_seconds(F.col("time_hour").try_cast("timestamp")) / 60 + F.pmod(departure, F.lit(HOUR_MINUTES))
    lengths = F.pmod(arrival - departure - HOUR_MINUTES * (zone + ZONE), F.lit(DAY_MINUTES))
    # Where the destination's zone is not known, a flight counts as landed when it surely has.
    longest = F.pmod(arrival - departure, F.lit(DAY_MINUTES)) + HOUR_MINUTES * FARTHEST_WEST
    sector = F.format_string("%d %d", F.floor(as_number(F.col("lat")) / 8), F.floor(as_number(F.col("lon")) / 8))
    rows = flights.where(planned).join(F.broadcast(airports), "dest", "left")
    rows = rows.select(
        *FLIGHT,
        "dest",
        "tailnum",
        F.when(F.col("lat").isNotNull() & F.col("lon").isNotNull(), sector).alias("sector"),
        at.cast("long").alias("at"),
        lengths.cast("long").alias("minutes"),
        F.coalesce(lengths, longest).cast("long").alias("longest"),
        _known("dep_delay", sound).alias("departure_delay"),
        _known("arr_delay", sound).alias("arrival_delay"),
        _known("air_time", sound).alias("air_time"),
        as_number(F.col("distance")).cast("long").alias("miles"),
    )
    rows = rows.withColumns(
        {
            "departed": _no_sooner(F.col("at") + F.col("departure_delay"), F.col("at")),
            "landed": _no_sooner(F.col("at") + F.col("longest") + F.col("arrival_delay"), _down()),
            **{name: slot(F.col("at"), name) for name in SLOTS},
        }
    )
    return rows.drop("longest")


def _down() -> Column:
    """When a flight has surely landed: the clocks of some destinations are not set forward in summer."""
    return F.greatest("at", F.col("at") + F.col("departure_delay") + F.col("air_time"))


def _no_sooner(minute: Column, least: Column) -> Column:
    return F.when(minute.isNotNull(), F.greatest(minute, least))


def slot(minute: Column, name: str) -> Column:
    """Number the slot that a minute is in."""
    minutes, first = SLOTS[name]
    return F.floor((minute - first) / minutes)


def clock(name: str) -> Column:
    """Minutes since midnight of a time written as 2359; null if there is no such time."""
    written = F.col(name).try_cast("int")
    hours, minutes = F.floor(written / 100), F.pmod(written, F.lit(100))
    day = F.lit(DAY_MINUTES)
    return F.when(written.between(0, 2400) & (minutes < 60), F.pmod(hours * 60 + minutes, day)).cast("double")  # noqa: PLR2004


def written(rows: DataFrame) -> DataFrame:
    """Have rows computed once, into files that go with the session.

    Raises:
        FranklinError: Executors have written them where this machine does not see them.

    """
    spark = rows.sparkSession
    copy = f"{spark.conf.get(UNPACKED)}/{uuid4().hex}"
    rows.write.parquet(plain_url(copy), compression=SMALL)
    check_seen(copy)
    return spark.read.schema(rows.schema).parquet(plain_url(copy))


def _known(name: str, sound: Column) -> Column:
    """A figure of a sound flight in whole minutes; no flight is so far off its schedule as what is left out."""
    value = as_number(F.col(name))
    return F.when(sound & (F.abs(value) < 7 * DAY_MINUTES), F.rint(value).cast("long"))
