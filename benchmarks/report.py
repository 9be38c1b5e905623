"""What every benchmark prints: the machine, medians with their spread, ratios, and one JSON line."""

import json
import platform
import statistics
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from models.parallel.world import count_cores


def machine() -> str:
    """Processor, cores and memory of this machine."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (FileNotFoundError, StopIteration):
        model = platform.processor()
    memory = psutil.virtual_memory().total / 2**30
    return f"{model}, {count_cores()} cores, {memory:.0f} GiB"


def table(title: str, *headings: str) -> Table:
    """Begin a table whose first column is words, and the others numbers."""
    made = Table(title=f"{title}: {machine()}, {datetime.now(UTC):%Y-%m-%d}")
    for number, heading in enumerate(headings):
        made.add_column(heading, justify="right" if number else "left")
    return made


def report(name: str, seconds: Mapping[str, Sequence[float]], baseline: str) -> None:
    """Print a table of wall-clock seconds by way, each against the way `baseline`, and the same as a JSON line."""
    shown = table(name, "way", "runs", "least s", "median s", "most s", f"against {baseline}")
    base = statistics.median(seconds[baseline])
    rows = {}
    for way, taken in seconds.items():
        middle = statistics.median(taken)
        rows[way] = {"seconds": list(taken), "median": middle, "ratio": middle / base, "difference": middle - base}
        spread = (f"{min(taken):.1f}", f"{middle:.1f}", f"{max(taken):.1f}")
        shown.add_row(way, str(len(taken)), *spread, f"{middle - base:+.1f} s, {100 * (middle / base - 1):+.1f} %")
    Console(width=110).print(shown)
    print(
        json.dumps({"benchmark": name, "machine": machine(), "time": time.time(), "baseline": baseline, "ways": rows})
    )
