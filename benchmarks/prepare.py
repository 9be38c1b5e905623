"""What preparing flights costs: franklin's job, the same by hand in Spark, and less of it in Spark, Polars and DuckDB.

    python -m benchmarks.prepare [--times 1 10 100] [--repetitions 3] [--memory 4g] [--peers PYTHON] [--ways WAY ...]

Each way is a process of its own, from CSV files to Parquet, start included. By hand in Spark does all that the job
does; the last three neither look for bad rows, nor profile, nor put rows into an order of their own. `--peers` is the
interpreter of an environment that has polars and duckdb. A way that fails, for lack of memory or another reason, is
left out after it.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from statistics import median

import pandas as pd
import psutil
from pandas.tseries.holiday import USFederalHolidayCalendar
from rich.console import Console
from rich.table import Table

from benchmarks.report import machine
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


def measure(command: list[str]) -> dict[str, float] | None:
    """Run a command; seconds and peak memory of it and of what it starts; None if it fails."""
    started, peak = time.perf_counter(), 0
    process = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        peak = max(peak, _memory(process))
        time.sleep(0.05)
    return {"seconds": time.perf_counter() - started, "peak_bytes": peak} if process.returncode == 0 else None


def _memory(process: psutil.Process) -> int:
    total = 0
    for each in [process, *_below(process)]:
        try:
            total += each.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def _below(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def show(times: int, rows: int, found: dict[str, list[dict[str, float]]], first: str) -> None:
    """Print the table of one size, and its JSON line."""
    table = Table(title=f"prepare, {times} times flights ({rows:,} rows): {machine()}, {datetime.now(UTC):%Y-%m-%d}")
    for heading in ("way", "seconds", "median s", f"against {first}", "microseconds a row", "peak MiB"):
        table.add_column(heading, justify="left" if heading == "way" else "right")
    base = median(run["seconds"] for run in found[first])
    for way, runs in found.items():
        seconds = [run["seconds"] for run in runs]
        middle, peak = median(seconds), max(run["peak_bytes"] for run in runs) / 2**20
        each = f"{middle / rows * 1e6:.1f}"
        listed = ", ".join(f"{one:.1f}" for one in seconds)
        table.add_row(way, listed, f"{middle:.1f}", f"{middle / base:.2f}", each, f"{peak:,.0f}")
    Console(width=120).print(table)
    print(json.dumps({"benchmark": "prepare", "times": times, "rows": rows, "machine": machine(), "runs": found}))


def main() -> None:
    """Measure every way for every size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", nargs="+", type=int, default=[1, 10, 100])
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--memory", default="4g", help="heap of Spark, limit of DuckDB")
    parser.add_argument("--peers", help="Python with polars and duckdb")
    parser.add_argument("--ways", nargs="+", help="those alone, such as franklin polars; the first is the base")
    options = parser.parse_args()
    known = ways(options.memory, options.peers)
    left = {way: known[way] for way in options.ways or known}
    base = next(iter(left))
    with tempfile.TemporaryDirectory(prefix="prepare-") as temporary:
        for times in options.times:
            source = inputs(Path(temporary), times)
            with (source / "flights.csv").open("rb") as file:
                rows = sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b"")) - 1
            found: dict[str, list[dict[str, float]]] = {}
            for _, way in product(range(options.repetitions), list(left)):
                out = Path(temporary) / "out" / way.replace(" ", "-")
                out.parent.mkdir(exist_ok=True)
                one = measure(left[way](source, out)) if way in left else None
                shutil.rmtree(out.parent)
                print(f"{times} {way}: {one}", file=sys.stderr)
                if one is None:
                    left.pop(way, None)
                    continue
                found.setdefault(way, []).append(one)
            show(times, rows, found, base)
            shutil.rmtree(source)


if __name__ == "__main__":
    main()
