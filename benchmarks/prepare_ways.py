"""Ways to prepare flights, each a command, and what they are given."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from pandas.tseries.holiday import USFederalHolidayCalendar

from conf.compose import compose
from conf.exchange import PrepareRequest
from spark_jobs.fingerprint import fingerprint

HERE = Path(__file__).parent
Command = Callable[[Path, Path], list[str]]


def inputs(folder: Path, times: int) -> Path:
    """Make the tables, `times` the year, and the distances to holidays beside them."""
    target = folder / f"flights-{times}"
    subprocess.run([sys.executable, "-m", "spark_jobs.scale", str(times), str(target)], check=True, capture_output=True)
    days = pd.DataFrame({"date": pd.date_range("1987-01-01", "2014-12-31")})
    first, last = pd.Timestamp("1986-01-01"), pd.Timestamp("2015-12-31")
    holidays = pd.DataFrame({"holiday": USFederalHolidayCalendar().holidays(first, last)})
    following = pd.merge_asof(days, holidays, left_on="date", right_on="holiday", direction="forward")["holiday"]
    before = pd.merge_asof(days, holidays, left_on="date", right_on="holiday")["holiday"]
    days["days_to_holiday"] = (following - days["date"]).dt.days
    days["days_since_holiday"] = (days["date"] - before).dt.days
    days.to_csv(target / "holidays.csv", index=False)
    return target


def franklin(memory: str) -> Command:
    """The job, as the flow starts it."""

    def command(source: Path, out: Path) -> list[str]:
        settings = compose("flights_delay", [f"data.path={source}", f"spark.memory={memory}"])
        request = PrepareRequest(
            answer=out.with_suffix(".answer"),
            data=settings.data,
            spark=settings.spark,
            folder=str(out),
            days=str(out.with_suffix(".days")),
            fingerprint=fingerprint(settings.data),
        )
        written = out.with_suffix(".request")
        written.write_text(request.model_dump_json(), encoding="utf-8")
        return [sys.executable, "-m", "spark_jobs.prepare", str(written)]

    return command


def ways(memory: str, peers: str | None) -> dict[str, Command]:
    """Every way that can be run here."""

    def by_hand(source: Path, out: Path) -> list[str]:
        return [sys.executable, "-m", "benchmarks.prepare_spark", str(source), str(out), memory]

    def bare(source: Path, out: Path) -> list[str]:
        return [*by_hand(source, out), "--bare"]

    def polars(source: Path, out: Path) -> list[str]:
        return [peers or "", str(HERE / "prepare_polars.py"), str(source), str(out)]

    def duckdb(source: Path, out: Path) -> list[str]:
        return [peers or "", str(HERE / "prepare_duckdb.py"), str(source), str(out), f"{memory}b"]

    here: dict[str, Command] = {"spark by hand": by_hand, "franklin": franklin(memory), "spark, bare": bare}
    return here | ({"polars": polars, "duckdb": duckdb} if peers else {})
