"""How fast feature sets become batches: franklin's feeds beside those of others, in one run.

    python -m benchmarks.feed [--shapes 1m 10m] [--batches 1024 4096] [--repetitions 3] [--seconds 20] [--codec zstd]

Each way reads the same Parquet files in a process of its own, for an epoch or so many seconds, with its own defaults of
threads. Before ways that read in order, the files are dropped from the system's cache; the mapped layout is made before
the clock starts, and how long that takes is a line of its own. Ways whose package is missing are left out.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.feed_data import SHAPES, feature_set
from benchmarks.feed_ways import IN_ORDER, MEMORY_BYTES, SHUFFLED
from benchmarks.report import machine
from conf.manifest import Manifest, read_manifest
from models.feeds.mapped import Mapped
from models.feeds.stored import Stored

MAKING = "making the mapped layout"
BASE = "petastorm"


def rows_of(batch: Any) -> int:
    """Rows of a batch of any kind."""
    if isinstance(batch, dict):
        return len(next(iter(batch.values())))
    return len(getattr(batch, "label", batch)) if batch is not None else 0


def forget(folder: Path) -> None:
    """Drop files from the system's cache."""
    for path in folder.rglob("*.parquet"):
        file = os.open(path, os.O_RDONLY)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)


def make_mapped(folder: Path, manifest: Manifest) -> None:
    """Make the mapped layout anew."""
    mapped = folder / ".mapped"
    for path in mapped.glob("train.*"):
        path.unlink()
    Mapped(Stored(str(folder), manifest, "train", MEMORY_BYTES), mapped, "train", MEMORY_BYTES).make()


def measure(order: str, way: str, folder: Path, batch_rows: int, limit: float) -> dict[str, float]:
    """Read with one way, in this process; rows, seconds, and the most memory of its own that it took."""
    manifest = read_manifest(str(folder))
    rows = 0
    if way == MAKING:
        forget(folder)
        started = time.perf_counter()
        make_mapped(folder, manifest)
        rows = manifest.splits["train"].rows
    else:
        if order == "in order":
            forget(folder)
        batches = (IN_ORDER if order == "in order" else SHUFFLED)[way](folder, manifest, batch_rows)
        if way == "index_select in memory":
            next(batches)
        started = time.perf_counter()
        for batch in batches:
            rows += rows_of(batch)
            if time.perf_counter() - started > limit:
                break
    seconds = time.perf_counter() - started
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
    return {"rows": rows, "seconds": seconds, "peak_bytes": peak}


def apart(*arguments: object) -> dict[str, float] | None:
    """`measure` in a process of its own; None where a package is missing."""
    command = [sys.executable, "-m", "benchmarks.feed", "--one", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "ModuleNotFoundError" in done.stderr:
        return None
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def show(title: str, found: dict[str, list[dict[str, float]]], row_bytes: int) -> None:
    """Print the table of one shape, batch size and order, and its JSON line."""
    table = Table(title=f"{title}: {machine()}, {datetime.now(UTC):%Y-%m-%d}")
    for heading in ("way", "runs", "M rows/s", "GB/s", f"times {BASE}", "peak MiB"):
        table.add_column(heading, justify="left" if heading == "way" else "right")
    rates = {way: statistics.median(run["rows"] / run["seconds"] for run in runs) for way, runs in found.items()}
    for way, rate in rates.items():
        peak = max(run["peak_bytes"] for run in found[way]) / 2**20
        times = f"{rate / rates[BASE]:.1f}"
        table.add_row(
            way, str(len(found[way])), f"{rate / 1e6:.2f}", f"{rate * row_bytes / 1e9:.2f}", times, f"{peak:,.0f}"
        )
    Console(width=110).print(table)
    print(json.dumps({"benchmark": "feed", "title": title, "machine": machine(), "time": time.time(), "runs": found}))


def main() -> None:
    """Measure every way for every shape and batch size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", choices=list(SHAPES), default=list(SHAPES))
    parser.add_argument("--batches", nargs="+", type=int, default=[1024, 4096])
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20, help="at most, for one epoch")
    parser.add_argument("--codec", default="zstd", help="compression of the Parquet files")
    parser.add_argument("--one", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        order, way, folder, batch_rows, limit = options.one
        print(json.dumps(measure(order, way, Path(folder), int(batch_rows), float(limit))))
        return
    with tempfile.TemporaryDirectory(prefix="feed-") as temporary:
        for shape in options.shapes:
            folder = Path(temporary) / shape
            manifest = feature_set(folder, shape, options.codec)
            row_bytes = 4 * (sum(SHAPES[shape][1:]) + 1)
            make_mapped(folder, manifest)
            for batch_rows, order in product(options.batches, ("in order", "shuffled")):
                ways = [*(IN_ORDER if order == "in order" else SHUFFLED), *([MAKING] if order == "shuffled" else [])]
                found: dict[str, list[dict[str, float]]] = {}
                for _, way in product(range(options.repetitions), ways):
                    if (one := apart(order, way, folder, batch_rows, options.seconds)) is not None:
                        found.setdefault(way, []).append(one)
                        print(f"{shape} {batch_rows} {order} {way}: {one}", file=sys.stderr)
                show(f"{order}, {shape} rows, batches of {batch_rows:,}", found, row_bytes)


if __name__ == "__main__":
    main()
