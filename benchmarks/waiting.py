"""How long the steps of training wait for their batch: the default network on flights, whole trainings.

    python -m benchmarks.waiting [--repetitions 3] [OVERRIDE ...]

The share is `data_wait_share` of `models.reporting`, over all epochs of rank 0. The mapped layout is made anew for each
training, so the first epoch has that to wait for.
"""

import argparse
import json
import shutil
import statistics
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.by_hand import call
from benchmarks.report import machine
from conf.compose import compose
from conf.exchange import PrepareResult, TrainResult
from flows.engines import PREPARE, TRAIN, to_prepare, to_train
from models.parallel.room import ranks_of
from spark_jobs.fingerprint import fingerprint

STRATEGIES = ("single", "ddp")


def main() -> None:
    """Prepare once, train with each strategy in turn, print a table and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("overrides", nargs="*", help="such as feed=petastorm feed.layout=stored")
    options = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {strategy: [] for strategy in STRATEGIES}
    with tempfile.TemporaryDirectory(prefix="waiting-") as temporary:
        folder, features = Path(temporary), Path(temporary) / "features"
        settings = compose("flights_delay", options.overrides)
        call(PREPARE, to_prepare(settings, folder, str(features), fingerprint(settings.data)), PrepareResult)
        for number in range(options.repetitions):
            for strategy in STRATEGIES:
                for made in features.glob(".mapped*"):
                    shutil.rmtree(made)
                settings = compose("flights_delay", [*options.overrides, f"strategy={strategy}"])
                ranks = ranks_of(settings)
                request = to_train(settings, folder / f"{strategy}-{number}", str(features), ranks, None)
                found[strategy].append(call(TRAIN, request, TrainResult).metrics)
    table = Table(title=f"waiting: {machine()}, {datetime.now(UTC):%Y-%m-%d}")
    for heading in ("strategy", "share of the time that steps wait", "median", "rows/s"):
        table.add_column(heading, justify="left" if heading == "strategy" else "right")
    for strategy, runs in found.items():
        shares = [run["data_wait_share"] for run in runs]
        rate = statistics.median(run["rows_per_second"] for run in runs)
        listed = ", ".join(f"{share:.2%}" for share in shares)
        table.add_row(strategy, listed, f"{statistics.median(shares):.2%}", f"{rate:,.0f}")
    Console(width=110).print(table)
    print(json.dumps({"benchmark": "waiting", "machine": machine(), "overrides": options.overrides, "runs": found}))


if __name__ == "__main__":
    main()
