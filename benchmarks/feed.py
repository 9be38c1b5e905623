"""How fast feature sets become batches: franklin's feeds beside those of others, in one run.

    python -m benchmarks.feed [--shapes 1m 10m] [--batches 1024 4096] [--repetitions 3] [--seconds 20] [--codec lz4]
        [--peers PYTHON ...]

Each way reads the same Parquet files, or the same rows in a format of its own, in a process of its own for an epoch or
so many seconds, with its own defaults of threads. Before `cold` the files are dropped from the system's cache, before
all else they are in it. Imports, and the making of files other than Parquet, are not counted. Peers are looked for in
this environment, then in those of the interpreters of `--peers`; who is nowhere is left out:

    for peer in datasets "ray[data,train]" mosaicml-streaming litdata; do
        python -m venv /tmp/peers/$peer && /tmp/peers/$peer/bin/pip install torch==2.13.0 $peer pyarrow aiohttp
    done
    python -m benchmarks.feed --peers /tmp/peers/*/bin/python
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.feed_data import SHAPES, feature_set
from benchmarks.feed_one import NOT_HERE, ORDERS, SHUFFLED
from benchmarks.feed_peers import PEERS
from benchmarks.report import machine

BASE = "petastorm"
IN_ORDER = (BASE, "franklin, stored", *PEERS, "parquet alone", "bytes alone")
WAYS = dict.fromkeys(ORDERS, IN_ORDER) | {
    SHUFFLED: (
        BASE,
        "franklin, mapped",
        "franklin, stored",
        *PEERS,
        "index_select in memory",
        "making the mapped layout",
    )
}


def apart(pythons: Sequence[str], *arguments: object) -> dict[str, float] | None:
    """Measure in a process of its own, of the first interpreter that has the package; None if none has, or it fails.

    Raises:
        RuntimeError: a way of our own failed.

    """
    for python in pythons:
        command = [python, "-m", "benchmarks.feed_one", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if not done.returncode:
            found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
            return found
        if done.returncode != NOT_HERE:
            if arguments[0] not in PEERS:
                raise RuntimeError(done.stderr)
            print(f"{arguments[0]} failed, and this run of it is left out: {done.stderr[-500:]}", file=sys.stderr)
    return None


def show(title: str, found: dict[str, list[dict[str, float]]], row_bytes: int) -> None:
    """Print the table of one shape, batch size and order, and its JSON line."""
    table = Table(title=f"{title}: {machine()}, {datetime.now(UTC):%Y-%m-%d}")
    for heading in ("way", "runs", "M rows/s", "GB/s", f"times {BASE}", "MiB of memory"):
        table.add_column(heading, justify="left" if heading == "way" else "right")
    rates = {way: statistics.median(run["rows"] / run["seconds"] for run in runs) for way, runs in found.items()}
    for way, rate in rates.items():
        peak = max(run["added_bytes"] for run in found[way]) / 2**20
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
    parser.add_argument("--codec", default="lz4", help="compression of the Parquet files")
    parser.add_argument("--orders", nargs="+", choices=ORDERS, default=ORDERS)
    parser.add_argument("--peers", nargs="+", default=[], metavar="PYTHON", help="interpreters that have peers")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="feed-") as temporary:
        for shape in options.shapes:
            folder = Path(temporary) / shape
            feature_set(folder, shape, options.codec)
            row_bytes = 4 * (sum(SHAPES[shape][1:]) + 1)
            for batch_rows, order in product(options.batches, options.orders):
                found: dict[str, list[dict[str, float]]] = {}
                for _, way in product(range(options.repetitions), WAYS[order]):
                    pythons = [sys.executable, *(options.peers if way in PEERS else [])]
                    if (one := apart(pythons, way, folder, batch_rows, order, options.seconds)) is not None:
                        found.setdefault(way, []).append(one)
                        print(f"{shape} {batch_rows} {order} {way}: {one}", file=sys.stderr)
                show(f"{order}, {shape} rows, batches of {batch_rows:,}", found, row_bytes)


if __name__ == "__main__":
    main()
