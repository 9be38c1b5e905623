"""The flights that left New York in 2013: five tables to one row per flight, as known at the scheduled departure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from math import pi

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from conf.data import Data, Task
from conf.errors import FranklinError
from conf.kinds import CategoricalKind, Kind, NumericKind
from spark_jobs.checks import broken, check_names
from spark_jobs.cleaning import Meaning, clean
from spark_jobs.dataset import (
    Dataset,
    as_number,
    column,
    first_reason,
    kinds,
    observed,
    placeless,
    read_as,
    require,
    split_columns,
)
from spark_jobs.secrets import given
from spark_jobs.sources.delimited import read_csv
from spark_jobs.sources.flight_past import LOOKED, OTHERS, PLANE, WAITING, known
from spark_jobs.sources.flight_times import FLIGHT, clock, timed, written
from spark_jobs.sources.flight_weather import SEEN, WEATHER, weathered
from spark_jobs.sources.holidays import holiday_distances
from spark_jobs.sources.lines import UNFIT, UNREADABLE
from spark_jobs.sources.locate import flights_files
from spark_jobs.sources.reading import storage_of
from spark_jobs.sources.storage import Storage
from spark_jobs.windows import outside, settled, undated

LABELS: dict[str, Task] = {"late": "binary", "air_time": "regression"}
BAD, PLANNED, SOUND = "__bad", "__planned", "__sound"
LATE_MINUTES = 15
FARTHEST_MILES, LONGEST_MINUTES = 12_500, 1_440
KEYS = {"planes": ["tailnum"], "airports": ["dest"], "airlines": ["carrier"]}
# The columns that are read. What flights knows only after the scheduled departure is in OUTCOMES alone.
OUTCOMES = ("dep_time", "dep_delay", "arr_delay", "air_time")
NEEDED = {
    "flights": (
        *("year", "month", "day", "sched_dep_time", "sched_arr_time", "carrier", "flight", "tailnum", "origin"),
        *("dest", "distance", "time_hour", *OUTCOMES),
    ),
    "weather": (
        *("origin", "time_hour", "temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip"),
        *("pressure", "visib"),
    ),
    "planes": ("tailnum", "year", "type", "manufacturer", "model", "engines", "seats", "engine"),
    "airports": ("faa", "lat", "lon", "alt", "tz"),
    "airlines": ("carrier", "name"),
}


def flights(spark: SparkSession, data: Data, days: str) -> Dataset:  # noqa: ARG001, it has no folders of days
    """Read, join, check and derive.

    Raises:
        FranklinError: A file or a column is missing, or the label or a configured column is not known.

    """
    require(data.label, LABELS, "data.label")
    if data.task not in (None, LABELS[data.label]):
        raise FranklinError(f"data.task={data.task} does not fit label '{data.label}'; use {LABELS[data.label]}")
    options = given(data.options)
    storage = storage_of(spark, data, options)
    files = flights_files(data.path, storage.find(data.path, deep=False) if data.path else None)
    tables = {name: _table(spark, name, file, options, storage) for name, file in files.items()}
    features = {name: kind for name, (kind, _) in _features().items()}
    columns = kinds(data, features, features)
    check_names(data.checks, NEEDED["flights"])
    tables["flights"], read = observed(tables["flights"], data.checks)
    own = dated(tables["flights"])
    if data.day:
        require(data.day, own.columns, "data.day")
    data = settled(own, data, _checks() | broken(data.checks))
    wanted = {*columns, *(part for name in WAITING.keys() & columns.keys() for part in WAITING[name])}
    joined = join(tables, holiday_distances(spark), Doubts.of(data, own.columns), wanted)
    for name in split_columns(data.split):
        require(name, joined.columns, "data.split")
    return Dataset(derive(joined, columns, data), read, columns, data.label, LABELS[data.label], inferred={})


def dated(rows: DataFrame) -> DataFrame:
    """Add the `date` of the scheduled departure."""
    return rows.withColumn("date", F.try_to_date(F.concat_ws("-", "year", "month", "day"), "y-M-d"))


@dataclass(frozen=True)
class Doubts:
    """What is wrong with a flight.

    Attributes:
        bad: It is no example.
        unsound: It breaks a rule.
        unplanned: Its schedule does.

    """

    bad: Column
    unsound: Column
    unplanned: Column

    @classmethod
    def of(cls, data: Data | None = None, there: Iterable[str] = ()) -> "Doubts":
        """Doubt by all that a flight says itself: copies are numbered before tables are joined."""
        plan = first_reason(_plans()).isNotNull()
        if data is None:
            return cls(F.lit(False), first_reason(_checks()).isNotNull(), plan)
        placed = placeless(data.split) if {*split_columns(data.split)} <= {*there} else {}
        unfit = column(UNFIT).isNotNull()
        unsound = unfit | first_reason(_checks() | broken(data.checks)).isNotNull()
        bad = unsound | first_reason(undated(data) | placed).isNotNull() | outside(data) | _label(data).isNull()
        return cls(bad, unsound, unfit | plan)


def join(
    tables: dict[str, DataFrame],
    holidays: DataFrame,
    doubts: Doubts | None = None,
    wanted: Collection[str] = (*LOOKED, *PLANE),
) -> DataFrame:
    """Give each flight its plane, airport of arrival, airline, holidays, weather, and what was known of other flights.

    No flight is lost or doubled. A table with two rows for one key says so in `TABLE_rows`, and one of them is taken. A
    column of a table is named `TABLE_column`, beside those of the flights. Of copies of a flight, which `copy` numbers,
    the `bad` ones come last. Of what was known of other flights, what is not `wanted` is left out.
    """
    doubts = doubts or Doubts.of()
    flight_tables = tables | {"airports": tables["airports"].withColumnRenamed("faa", "dest")}
    said = {PLANNED: ~doubts.unplanned, SOUND: ~doubts.unsound}
    rows = written(_numbered(dated(tables["flights"]), doubts.bad).withColumns(said))
    airports = flight_tables["airports"].groupBy("dest").agg(F.min(F.struct("lat", "lon", "tz")).alias("one"))
    once = rows.where((F.col("copy") == 1) & F.col("dest").isNotNull())
    times = timed(once, airports.select("dest", "one.*"), column(PLANNED), column(SOUND))
    past = [name for name in (*LOOKED, *PLANE) if name in wanted]
    others = known(written(times), past) if past else times
    others = others.join(weathered(tables["weather"]), ["origin", "hour"], "left")
    rows = rows.drop(PLANNED, SOUND).join(others.select(*FLIGHT, *past, *SEEN), [*FLIGHT], "left")
    for name, keys in KEYS.items():
        rows = rows.join(F.broadcast(_lookup(flight_tables[name], name, keys)), keys, "left")
    return rows.join(F.broadcast(holidays), "date", "left")


def _numbered(rows: DataFrame, bad: Column) -> DataFrame:
    """Add `copy`: 1, or more for a repeated flight. A `bad` one is a copy of a good one, whatever else is in it."""
    values = (F.asc_nulls_last(name) for name in (*OUTCOMES, "dest", "tailnum"))
    flight = Window.partitionBy(*FLIGHT).orderBy(F.col(BAD), *values)
    return rows.withColumn(BAD, bad).withColumn("copy", F.row_number().over(flight)).drop(BAD)


def derive(joined: DataFrame, columns: dict[str, Kind], data: Data) -> DataFrame:
    """Derive features and label from joined rows, and say of each row that is no example why."""
    said = {name: _features()[name][1] for name in columns}
    meaning = Meaning(
        features={name: read_as(said[name], kind) for name, kind in columns.items()},
        kinds=columns,
        label=_label(data),
        no_example=F.when(F.col("dep_time").isNull(), "cancelled").otherwise("diverted"),
        own=NEEDED["flights"],
        rules=_checks() | _lookups() | broken(data.checks) | {"flight is there more than once": F.col("copy") > 1},
    )
    return clean(joined, meaning, data)


def _label(data: Data) -> Column:
    late = as_number(F.col("arr_delay")) > LATE_MINUTES
    return late.cast("string") if data.label == "late" else as_number(F.col("air_time"))


def _features() -> dict[str, tuple[Kind, Column]]:
    """Return kind and value of every feature; nothing here is known later than the scheduled departure."""
    number, category = NumericKind(), CategoricalKind()
    departure, arrival = clock("sched_dep_time"), clock("sched_arr_time")
    day = 2 * pi * departure / LONGEST_MINUTES
    wind = F.radians(as_number(F.col("weather_wind_dir")))
    speed = as_number(F.col("weather_wind_speed"))
    # Airports' offsets from UTC are hours; New York's three have the same, -5.
    zone = as_number(F.col("airports_tz"))
    return {
        "day_of_week": (category, F.date_format("date", "E")),
        "days_to_holiday": (number, F.least(F.col("days_to_holiday"), F.lit(14.0))),
        "days_since_holiday": (number, F.least(F.col("days_since_holiday"), F.lit(14.0))),
        "departure_minute": (number, departure),
        "departure_sin": (number, F.sin(day)),
        "departure_cos": (number, F.cos(day)),
        "departure_hour": (category, F.format_string("%02d", F.floor(departure / 60))),
        "arrival_minute": (number, arrival),
        "scheduled_minutes": (number, F.pmod(arrival - departure - 60 * (zone + 5), F.lit(LONGEST_MINUTES))),
        "origin": (category, F.col("origin")),
        "dest": (category, F.col("dest")),
        "distance": (number, as_number(F.col("distance"))),
        "dest_latitude": (number, as_number(F.col("airports_lat"))),
        "dest_longitude": (number, as_number(F.col("airports_lon"))),
        "dest_altitude": (number, as_number(F.col("airports_alt"))),
        "dest_zone": (number, zone),
        "airline": (category, F.coalesce("airlines_name", "carrier")),
        "plane_age": (number, as_number(F.col("year")) - as_number(F.col("planes_year"))),
        "plane_type": (category, F.col("planes_type")),
        "plane_manufacturer": (category, F.col("planes_manufacturer")),
        "plane_model": (category, F.col("planes_model")),
        "plane_engine": (category, F.col("planes_engine")),
        "plane_engines": (number, as_number(F.col("planes_engines"))),
        "plane_seats": (number, as_number(F.col("planes_seats"))),
        "temperature": (number, as_number(F.col("weather_temp"))),
        "dew_point": (number, as_number(F.col("weather_dewp"))),
        "humidity": (number, as_number(F.col("weather_humid"))),
        "wind_from_north": (number, speed * F.cos(wind)),
        "wind_from_east": (number, speed * F.sin(wind)),
        "wind_speed": (number, speed),
        "wind_gust": (number, as_number(F.col("weather_wind_gust"))),
        "precipitation": (number, as_number(F.col("weather_precip"))),
        "pressure": (number, as_number(F.col("weather_pressure"))),
        "visibility": (number, as_number(F.col("weather_visib"))),
        **{name: (number, F.col(name).cast("double")) for name in (*WEATHER, *PLANE, *OTHERS)},
        # Flights that were to leave and had not.
        **{name: (number, (F.col(there) - F.col(gone)).cast("double")) for name, (there, gone) in WAITING.items()},
    }


def _checks() -> dict[str, Column]:
    """Return reasons and conditions that a flight itself tells, without other flights or tables."""
    air_time = as_number(F.col("air_time"))
    return _plans() | {"impossible time in the air": ~air_time.between(1, LONGEST_MINUTES)}


def _plans() -> dict[str, Column]:
    """Return those that its schedule tells."""
    distance = as_number(F.col("distance"))
    vital = ("carrier", "flight", "origin", "dest", "time_hour")
    return {
        "no carrier, flight number, origin, destination or hour": F.greatest(*(F.col(n).isNull() for n in vital)),
        "impossible date": F.col("date").isNull(),
        "impossible scheduled time": clock("sched_dep_time").isNull() | clock("sched_arr_time").isNull(),
        "impossible distance": distance.isNull() | ~distance.between(1, FARTHEST_MILES),
        "destination is the origin": F.col("origin") == F.col("dest"),
    }


def _lookups() -> dict[str, Column]:
    return {f"{name} has several rows for it": F.col(f"{name}_rows") > 1 for name in (*KEYS, "weather")}


def _lookup(table: DataFrame, name: str, keys: list[str]) -> DataFrame:
    values = [column for column in NEEDED[name] if column not in (*keys, "faa")]
    one = F.min(F.struct(*values)).alias("one")
    return (
        table.groupBy(*keys)
        .agg(one, F.count("*").alias(f"{name}_rows"))
        .select(*keys, f"{name}_rows", *(F.col(f"one.{value}").alias(f"{name}_{value}") for value in values))
    )


def _table(spark: SparkSession, name: str, file: str, options: dict[str, str], storage: Storage) -> DataFrame:
    table = read_csv(spark, [file], {"nullValue": "NA"} | options, storage)
    for needed in NEEDED[name]:
        require(needed, table.columns, file)
    return table.select(*NEEDED[name], UNREADABLE, UNFIT)
