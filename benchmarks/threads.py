"""Training steps of a small to a large network by threads and by how long a waiting thread spins, quiet and disturbed.

    python -m benchmarks.threads [--repetitions 3] [--hidden 128 256 512 1024]

"Disturbed" runs one other busy process beside it. Each measurement is a process of its own.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from benchmarks.report import machine
from models.parallel.world import count_cores

STEPS = """
import sys, time, torch
threads, hidden = map(int, sys.argv[1:])
torch.set_num_threads(threads)
torch.manual_seed(0)
layers = torch.nn.Linear(60, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, hidden), torch.nn.ReLU()
network = torch.nn.Sequential(*layers, torch.nn.Linear(hidden, 1))
optimizer = torch.optim.AdamW(network.parameters())
rows, label = torch.randn(1024, 60), torch.randn(1024, 1)
def run(steps):
    for _ in range(steps):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(network(rows), label).backward()
        optimizer.step()
run(5)
started, steps = time.perf_counter(), max(20, 20_000 // hidden)
run(steps)
print(1000 * (time.perf_counter() - started) / steps)
"""
BUSY = "while True: pass"
LIBRARY = "all, spin as libgomp does"
WAYS: dict[str, tuple[int, dict[str, str]]] = {
    "one": (1, {}),
    LIBRARY: (count_cores(), {}),
    "all, spin 10,000": (count_cores(), {"GOMP_SPINCOUNT": "10000"}),
    "all, spin 1,000": (count_cores(), {"GOMP_SPINCOUNT": "1000"}),
    "all, passive": (count_cores(), {"OMP_WAIT_POLICY": "PASSIVE"}),
}


def step_ms(threads: int, hidden: int, variables: dict[str, str]) -> float:
    """Milliseconds of a step of 1,024 rows."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    command = [sys.executable, "-c", STEPS, str(threads), str(hidden)]
    return float(subprocess.run(command, env=clean | variables, capture_output=True, text=True, check=True).stdout)


def measure(hidden: int, repetitions: int) -> dict[str, float]:
    """Median milliseconds by way."""
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(repetitions):
        for way, (threads, variables) in WAYS.items():
            found[way].append(step_ms(threads, hidden, variables))
    return {way: statistics.median(taken) for way, taken in found.items()}


def main() -> None:
    """Measure every width, quiet and disturbed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--hidden", type=int, nargs="+", default=[128, 256, 512, 1024])
    options = parser.parse_args()
    table = Table(title=f"milliseconds a step: {machine()}, {datetime.now(UTC):%Y-%m-%d}")
    table.add_column("hidden")
    table.add_column("machine")
    for way in WAYS:
        table.add_column(way, justify="right")
    rows = []
    for disturbed in (False, True):
        other = subprocess.Popen([sys.executable, "-c", BUSY]) if disturbed else None
        for hidden in options.hidden:
            found = measure(hidden, options.repetitions)
            rows.append({"hidden": hidden, "disturbed": disturbed, "milliseconds": found})
            cells = [f"{each:.2f} ({each / found[LIBRARY]:.2f})" for each in found.values()]
            table.add_row(str(hidden), "disturbed" if disturbed else "quiet", *cells)
        if other is not None:
            other.kill()
            other.wait()
    Console(width=150).print(table)
    print(json.dumps({"benchmark": "threads", "machine": machine(), "time": time.time(), "rows": rows}))


if __name__ == "__main__":
    main()
