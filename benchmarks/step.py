"""What a step of training takes beside a bare PyTorch loop with the same network, batches and feed, on flights.

    python -m benchmarks.step [--repetitions 3] [--hidden 64 256,128,64 512,512,512 1024,1024,1024]

Both are processes of their own, in turn. Ours counts all that happens between steps: Lightning's loop, the look at the
loss, progress, the one step that is measured; not validation. The bare loop has as many threads, and the allocator that
ranks are given (`models.launching.allocator`). Neither counts the making of the mapped files.
"""

import argparse
import json
import statistics
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.by_hand import call
from benchmarks.report import machine
from benchmarks.step_bare import Bare
from conf.compose import compose
from conf.exchange import PrepareResult, TrainRequest, TrainResult
from conf.manifest import read_manifest
from flows.engines import PREPARE, TRAIN, engine, to_prepare, to_train
from models.launching.allocator import lent
from spark_jobs.fingerprint import fingerprint

NETWORKS = ("64", "256,128,64", "512,512,512", "1024,1024,1024")
EPOCHS = 2


def ours(request: TrainRequest) -> float:
    """Seconds of a step in a launched training."""
    result = call(TRAIN, request, TrainResult)
    rows = read_manifest(request.feature_set).splits["train"].rows
    return rows * result.epochs / result.steps / result.rows_per_second


def bare(request: TrainRequest) -> float:
    """Seconds of a step in a bare loop, which has the allocator of ranks."""
    with lent(request.checkpointing):
        return call(engine("benchmarks.step_bare"), request, Bare).seconds


WAYS = {"bare": bare, "ours": ours}


def main() -> None:
    """Prepare once, train in both ways in turn, print a table and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--hidden", nargs="*", default=NETWORKS, help="widths of the blocks of each network")
    options = parser.parse_args()
    table = Table(title=f"step: {machine()}, {datetime.now(UTC):%Y-%m-%d}")
    for heading in ("network", "bare ms", "ours ms", "ours adds ms", "ratio"):
        table.add_column(heading, justify="left" if heading == "network" else "right")
    found = {}
    with tempfile.TemporaryDirectory(prefix="step-") as temporary:
        folder, features = Path(temporary), str(Path(temporary) / "features")
        settings = compose("flights_delay")
        call(PREPARE, to_prepare(settings, folder, features, fingerprint(settings.data)), PrepareResult)
        for hidden in options.hidden:
            wanted = compose("flights_delay", [f"model.hidden=[{hidden}]", f"trainer.max_epochs={EPOCHS}"])
            taken: dict[str, list[float]] = {way: [] for way in WAYS}
            for number in range(options.repetitions + 1):
                requests = {
                    way: to_train(wanted, folder / f"{way}-{hidden}-{number}", features, 1, None) for way in taken
                }
                for way, run in WAYS.items():
                    taken[way].append(run(requests[way]))
            for seconds in taken.values():
                del seconds[0]  # it makes the mapped files
            middle = {way: statistics.median(seconds) for way, seconds in taken.items()}
            found[hidden] = taken
            shown = (f"{1000 * middle[way]:.2f}" for way in WAYS)
            added = 1000 * (middle["ours"] - middle["bare"])
            table.add_row(f"[{hidden}]", *shown, f"{added:+.2f}", f"{middle['ours'] / middle['bare']:.3f}")
    Console(width=110).print(table)
    print(json.dumps({"benchmark": "step", "machine": machine(), "seconds": found}))


if __name__ == "__main__":
    main()
