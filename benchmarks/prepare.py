"""What preparing flights costs: franklin's job, the same by hand in Spark, and less of it in Spark, Polars and DuckDB.

    python -m benchmarks.prepare [--times 1 10 100] [--repetitions 3] [--memory 4g] [--peers PYTHON] [--ways WAY ...]

Each way is a process of its own, from CSV files to Parquet, start included. By hand in Spark does all that the job
does; the last three neither look for bad rows, nor profile, nor put rows into an order of their own, and Polars and
DuckDB make the features that a flight and its tables tell, but none of other flights. `--peers` is the
interpreter of an environment that has polars and duckdb. A way that fails, for lack of memory or another reason, is
marked, with the words that it ended with, and left out after it; the others are held against the first that did not.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from statistics import median

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.failures import why
from benchmarks.prepare_ways import Command, inputs, ways
from benchmarks.report import machine

Run = dict[str, float]


def measure(command: list[str], out: Path) -> Run | str:
    """Run a command; seconds and peak memory of it and of what it starts, or why it failed."""
    started, peak, kept = time.perf_counter(), 0, out.with_suffix(".log")
    with kept.open("w") as log:
        process = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
        while process.poll() is None:
            peak = max(peak, _memory(process))
            time.sleep(0.05)
    seconds = time.perf_counter() - started
    if process.returncode:
        return f"ended with {process.returncode}: {why(out.with_suffix('.answer'), kept)}"
    return {"seconds": seconds, "peak_bytes": peak}


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


def repeat(left: dict[str, Command], source: Path, folder: Path, repetitions: int) -> dict[str, list[Run | str]]:
    """Run each way in turn, so many times; one that fails is taken out of `left`."""
    found: dict[str, list[Run | str]] = {way: [] for way in left}
    for _, way in product(range(repetitions), found):
        if way in left:
            out = folder / way.replace(" ", "-")
            folder.mkdir()
            found[way].append(one := measure(left[way](source, out), out))
            shutil.rmtree(folder)
            print(f"{source.name} {way}: {one}", file=sys.stderr)
            if isinstance(one, str):
                del left[way]
    return found


def show(times: int, rows: int, found: dict[str, list[Run | str]]) -> None:
    """Print the table of one size, and its JSON line."""
    whole = [way for way, runs in found.items() if not any(isinstance(run, str) for run in runs)]
    base = median(_seconds(found[whole[0]])) if whole else None
    table = Table(title=f"prepare, {times} times flights ({rows:,} rows): {machine()}, {datetime.now(UTC):%Y-%m-%d}")
    against = f"against {whole[0]}" if whole else "against none"
    for heading in ("way", "seconds", "median s", against, "microseconds a row", "peak MiB"):
        table.add_column(heading, justify="left" if heading == "way" else "right")
    for way, runs in found.items():
        listed = ", ".join("failed" if isinstance(run, str) else f"{run['seconds']:.1f}" for run in runs)
        if way not in whole or base is None:  # a median of those runs that happened to go well says nothing
            table.add_row(way, listed)
            continue
        middle, peak = (
            median(_seconds(runs)),
            max(run["peak_bytes"] for run in runs if not isinstance(run, str)) / 2**20,
        )
        table.add_row(
            way, listed, f"{middle:.1f}", f"{middle / base:.2f}", f"{middle / rows * 1e6:.1f}", f"{peak:,.0f}"
        )
    Console(width=120).print(table)
    print(json.dumps({"benchmark": "prepare", "times": times, "rows": rows, "machine": machine(), "runs": found}))


def _seconds(runs: list[Run | str]) -> list[float]:
    return [run["seconds"] for run in runs if not isinstance(run, str)]


def main() -> None:
    """Measure every way for every size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", nargs="+", type=int, default=[1, 10, 100])
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--memory", default="4g", help="heap of Spark, limit of DuckDB")
    parser.add_argument("--peers", help="Python with polars and duckdb")
    parser.add_argument("--ways", nargs="+", help="those alone, such as franklin polars, the base first")
    options = parser.parse_args()
    known = ways(options.memory, options.peers)
    left = {way: known[way] for way in options.ways or known}
    with tempfile.TemporaryDirectory(prefix="prepare-") as temporary:
        for times in options.times:
            if not left:
                break
            source = inputs(Path(temporary), times)
            with (source / "flights.csv").open("rb") as file:
                rows = sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b"")) - 1
            show(times, rows, repeat(left, source, Path(temporary) / "out", options.repetitions))
            shutil.rmtree(source)


if __name__ == "__main__":
    main()
