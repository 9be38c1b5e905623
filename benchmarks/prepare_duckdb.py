"""The work of `spark_jobs.prepare` on flights, in DuckDB alone: `python prepare_duckdb.py FLIGHTS OUT MEMORY`."""

import sys
from pathlib import Path

import duckdb

NUMBERS = {
    "days_to_holiday": "least(14, days_to_holiday::double)",
    "days_since_holiday": "least(14, days_since_holiday::double)",
    "departure_minute": "departure",
    "departure_sin": "sin(2 * pi() * departure / 1440)",
    "departure_cos": "cos(2 * pi() * departure / 1440)",
    "arrival_minute": "arrival",
    "scheduled_minutes": "((arrival - departure - 60 * (tz::double + 5))::bigint % 1440 + 1440) % 1440",
    "departures_scheduled": "departures_scheduled",
    "distance": "distance::double",
    "dest_latitude": "lat::double",
    "dest_longitude": "lon::double",
    "dest_altitude": "alt::double",
    "dest_zone": "tz::double",
    "plane_age": "f.year::double - p.year::double",
    "plane_engines": "engines::double",
    "plane_seats": "seats::double",
    "temperature": "temp::double",
    "dew_point": "dewp::double",
    "humidity": "humid::double",
    "wind_from_north": "wind_speed::double * cos(radians(wind_dir::double))",
    "wind_from_east": "wind_speed::double * sin(radians(wind_dir::double))",
    "wind_speed": "wind_speed::double",
    "wind_gust": "wind_gust::double",
    "precipitation": "precip::double",
    "pressure": "pressure::double",
    "visibility": "visib::double",
}
WORDS = {
    "day_of_week": "strftime(f.date, '%a')",
    "departure_hour": "(departure // 60)::varchar",
    "origin": "f.origin",
    "dest": "f.dest",
    "airline": "coalesce(l.name, f.carrier)",
    "plane_type": "p.type",
    "plane_manufacturer": "p.manufacturer",
    "plane_model": "p.model",
    "plane_engine": "p.engine",
}
JOINED = """
create table rows as
with f as (
  select *, make_date(year::int, month::int, day::int) as date,
    count(*) over (partition by origin, time_hour)::double as departures_scheduled,
    (sched_dep_time::int // 100 * 60 + sched_dep_time::int % 100) % 1440 as departure,
    (sched_arr_time::int // 100 * 60 + sched_arr_time::int % 100) % 1440 as arrival
  from {flights}
)
select {features}, (arr_delay::double > 15)::int as late,
  case when f.date < date '2013-09-01' then 'train' when f.date < date '2013-11-01' then 'validation'
    else 'test' end as split
from f
left join (select distinct on (origin, time_hour) * from {weather}) w
  on f.origin = w.origin and f.time_hour = w.time_hour
left join {planes} p on f.tailnum = p.tailnum
left join {airports} a on f.dest = a.faa
left join {airlines} l on f.carrier = l.carrier
left join {holidays} h on f.date = h.date::date
where arr_delay is not null
"""


def main(folder: str, out: str, memory: str) -> None:
    """Read, join, derive, split by date, standardise, index, write Parquet."""
    base = duckdb.connect(f"{out}/work.db", config={"memory_limit": memory})
    names = ("flights", "weather", "planes", "airports", "airlines", "holidays")
    tables = {name: f"read_csv('{folder}/{name}.csv', all_varchar=true, nullstr='NA')" for name in names}
    features = ", ".join(f"{said} as {name}" for name, said in (NUMBERS | WORDS).items())
    base.execute(JOINED.format(features=features, **tables))
    asked = ", ".join(f"avg({name}), stddev_pop({name})" for name in NUMBERS)
    found = base.execute(f"select {asked} from rows where split = 'train'").fetchone()
    assert found is not None
    columns = []
    for i, name in enumerate(NUMBERS):
        mean, scale = found[2 * i], found[2 * i + 1] or 1.0
        columns.append(f"coalesce(({name} - {mean!r}) / {scale!r}, 0)::float as {name}")
        columns.append(f"({name} is null)::int::float as {name}__missing")
    joins = ""
    for name in WORDS:
        base.execute(
            f"create table words_{name} as "
            f"select {name} as word, 2 + row_number() over (order by count(*) desc) as code "
            f"from rows where split = 'train' and {name} is not null group by 1"
        )
        joins += f" left join words_{name} on rows.{name} = words_{name}.word"
        columns.append(f"case when {name} is null then 1 else coalesce(words_{name}.code, 0) end::int as {name}")
    for split in ("train", "validation", "test"):
        base.execute(
            f"copy (select {', '.join(columns)}, late from rows {joins} where split = '{split}') "
            f"to '{out}/{split}.parquet' (compression zstd, row_group_size 16384)"
        )
    base.execute(f"copy (select * from rows where split = 'test') to '{out}/holdout.parquet' (compression zstd)")
    print(base.execute("select count(*) from rows").fetchone())


if __name__ == "__main__":
    Path(sys.argv[2]).mkdir(parents=True)
    main(*sys.argv[1:])
