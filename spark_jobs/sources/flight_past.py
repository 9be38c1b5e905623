"""What was known of other flights when one was to depart: delays of those that had left or landed, and the schedule."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import reduce
from operator import and_

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from spark_jobs.sources.flight_times import DAY_MINUTES, FLIGHT, slot


@dataclass(frozen=True)
class Look:
    """A look at flights of the same key.

    Attributes:
        of: The instant that says in which slot a flight is: `at`, which the schedule tells before, or `departed` or
            `landed`, which are known from the next slot on.
        value: Whose mean is taken; None: flights are counted.
        low: First slot that is looked at, counted from that of the flight that looks.
        high: The last one; 0 of an outcome is the slot that ended before it.
        per: The mean is for each one of these.

    """

    of: str
    value: str | None
    low: int
    high: int = 0
    per: str | None = None


def _delays(of: str, value: str, slots: dict[str, int]) -> dict[str, Look]:
    return {name: Look(of, value, 1 - count) for name, count in slots.items()}


# Flights of the same key, the kind of slot, and what is looked at.
PAST: tuple[tuple[tuple[str, ...], str, dict[str, Look]], ...] = (
    (
        ("origin",),
        "quarter",
        {
            "scheduled_before": Look("at", None, -4, -1),
            "scheduled_after": Look("at", None, 0, 3),
            "scheduled_3h": Look("at", None, -12, -1),
            "departed_1h": Look("departed", None, -3),
            "departed_3h": Look("departed", None, -11),
            **_delays("departed", "departure_delay", {"origin_departure_delay_1h": 4, "origin_departure_delay_3h": 12}),
            **_delays("landed", "arrival_delay", {"origin_arrival_delay_4h": 16}),
        },
    ),
    (
        ("origin", "carrier"),
        "hour",
        {
            **_delays(
                "departed", "departure_delay", {"airline_departure_delay_1h": 1, "airline_departure_delay_3h": 3}
            ),
            **_delays("landed", "arrival_delay", {"airline_arrival_delay_4h": 4}),
        },
    ),
    (
        ("dest",),
        "hour",
        {
            **_delays("departed", "departure_delay", {"dest_departure_delay_2h": 2}),
            **_delays("landed", "arrival_delay", {"dest_arrival_delay_4h": 4}),
            "dest_pace_6h": Look("landed", "air_time", -5, per="miles"),
            "dest_pace_24h": Look("landed", "air_time", -23, per="miles"),
        },
    ),
    (
        ("sector",),
        "hour",
        {
            "sector_pace_6h": Look("landed", "air_time", -5, per="miles"),
            "sector_pace_24h": Look("landed", "air_time", -23, per="miles"),
        },
    ),
    (
        ("origin",),
        "day",
        {
            "origin_scheduled_day": Look("at", None, 0),
            **_delays("landed", "arrival_delay", {"origin_delay_1d": 1, "origin_delay_7d": 7}),
        },
    ),
    (
        ("dest",),
        "day",
        {
            "dest_scheduled_day": Look("at", None, 0),
            **_delays("landed", "arrival_delay", {"dest_delay_1d": 1, "dest_delay_7d": 7}),
        },
    ),
    (("carrier", "flight"), "day", _delays("landed", "arrival_delay", {"number_delay_30d": 30})),
)
FEW = ("origin", "dest")  # of which there are so few that a day's looks go to every executor
LOOKED = tuple(name for _, _, looks in PAST for name in looks)
# Counts of flights that have left are told by how many have not.
OTHERS = tuple(name for name in LOOKED if name not in ("scheduled_3h", "departed_1h", "departed_3h"))
# What is counted of flights that were to leave, and had.
WAITING = {"waiting_1h": ("scheduled_before", "departed_1h"), "waiting_3h": ("scheduled_3h", "departed_3h")}
PLANE = ("plane_turn", "plane_slack", "plane_departure_delay", "plane_arrival_delay", "plane_waiting")
TURN_MINUTES = 18 * 60  # a plane's earlier flight is looked at if it was to leave so short a time before


def known(flights: DataFrame, wanted: Collection[str] = (*LOOKED, *PLANE)) -> DataFrame:
    """Add to each flight (`flight_times.timed`) what was known of others; no flight is lost or doubled.

    Args:
        flights: With their instants and slots.
        wanted: What of `LOOKED` and `PLANE`; what else those take is not computed, but `PLANE` is all or nothing.

    """
    rows = turned(flights) if {*PLANE} & {*wanted} else flights
    for keys, kind, every in PAST:
        looks = {name: look for name, look in every.items() if name in wanted}
        if looks:
            table = looked(flights, keys, kind, looks)
            small = kind == "day" and {*keys} <= {*FEW}
            rows = rows.join(F.broadcast(table) if small else table, [*keys, kind], "left")
    return rows


def looked(flights: DataFrame, keys: tuple[str, ...], kind: str, looks: dict[str, Look]) -> DataFrame:
    """Look back, and at the schedule, from each slot in which a flight of a key is to depart.

    Returns:
        One row for each key and slot: `keys`, the slot, called as its kind, and the looks.

    """
    sums = list(dict.fromkeys((look.of, value) for look in looks.values() for value in (look.value, look.per)))
    events = F.array(*(_event(of, kind, sums) for of in dict.fromkeys(["at", *(of for of, _ in sums)])))
    there = reduce(and_, (F.col(key).isNotNull() for key in (*keys, kind)))
    every = flights.select(*keys, F.inline(events)).where(there)
    totals = [of(name).alias(f"{of.__name__}_{name}") for name in map(_name, sums) for of in (F.sum, F.count)]
    slots = every.groupBy(*keys, kind).agg(*totals)
    return slots.select(*keys, kind, *(_mean(look, keys, kind).alias(name) for name, look in looks.items()))


def turned(flights: DataFrame) -> DataFrame:
    """Add what was known of the plane's earlier flight from New York, and how much time there is between the two."""
    order = [F.asc(name) for name in ("at", *FLIGHT)]
    plane = Window.partitionBy("tailnum").orderBy(*order)
    before = {name: F.lag(name).over(plane) for name in ("at", "minutes", "departed", "landed")}
    before |= {name: F.lag(name).over(plane) for name in ("departure_delay", "arrival_delay")}
    rows = flights.withColumns({f"before_{name}": value for name, value in before.items()})
    at, gap = F.col("at"), F.col("at") - F.col("before_at")
    near = F.col("tailnum").isNotNull() & (gap < TURN_MINUTES)
    gone, there = F.col("before_departed") < at, F.col("before_landed") < at
    added = {
        "plane_turn": F.when(F.col("tailnum").isNotNull(), F.least(gap, F.lit(DAY_MINUTES))),
        "plane_slack": F.when(near, gap - 2 * F.col("before_minutes")),
        "plane_departure_delay": F.when(near & gone, F.col("before_departure_delay")),
        "plane_arrival_delay": F.when(near & there, F.col("before_arrival_delay")),
        "plane_waiting": F.when(near & ~F.coalesce(gone, F.lit(False)), gap),
    }
    return rows.withColumns(added).drop(*(f"before_{name}" for name in before))


def _name(pair: tuple[str, str | None]) -> str:
    return f"{pair[0]}_{pair[1] or 'flights'}"


def _event(of: str, kind: str, sums: list[tuple[str, str | None]]) -> Column:
    """What is added to a slot by a flight that is in it by one of its instants."""
    known_in = slot(F.col(of), kind) + (0 if of == "at" else 1)
    nothing = F.lit(None).cast("long")
    values = [
        (F.lit(1).cast("long") if value is None else F.col(value)) if one == of else nothing for one, value in sums
    ]
    named = [value.alias(_name(pair)) for pair, value in zip(sums, values, strict=True)]
    return F.struct(known_in.alias(kind), *named)


def _mean(look: Look, keys: tuple[str, ...], kind: str) -> Column:
    window = Window.partitionBy(*keys).orderBy(kind).rangeBetween(look.low, look.high)
    name = _name((look.of, look.value))
    if look.value is None:
        return F.coalesce(F.sum(f"sum_{name}").over(window), F.lit(0))
    below = f"count_{name}" if look.per is None else f"sum_{_name((look.of, look.per))}"
    return F.try_divide(F.sum(f"sum_{name}").over(window).cast("double"), F.sum(below).over(window))
