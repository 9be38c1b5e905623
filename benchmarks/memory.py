"""Data five times larger than the memory: prepared, trained on for an epoch and scored, each stage inside that memory.

    python -m benchmarks.memory [--memory 1280m] [--heap 560m] [--feed 64m] [--times 195]

Flights are multiplied first (`spark_jobs.scale`), which is outside the limit. Then each stage runs in a control group
of the kernel that holds all its processes, and what they have in the system's cache, under the limit and out of swap: a
stage that takes more is killed. What processes have by themselves is looked at five times a second; the kernel's own
count has the cache in it, which takes what is left. Needs Linux and the right to make such a group, which is root's.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.by_hand import call
from benchmarks.control_group import Group, limited
from benchmarks.report import machine
from conf.compose import compose
from conf.exchange import EvaluateResult, PrepareResult, TrainResult
from conf.manifest import read_manifest
from conf.schema import Settings
from flows.engines import EVALUATE, PREPARE, TRAIN, to_evaluate, to_prepare, to_train
from spark_jobs.fingerprint import fingerprint

UNITS = {"m": 2**20, "g": 2**30}


def stages(settings: Settings, folder: Path) -> dict[str, Callable[[Group], str]]:
    """What is run in a group, one after the other; each says in a few words what it did."""
    features = str(folder / "features")
    trained: list[TrainResult] = []

    def prepare(group: Group) -> str:
        request = to_prepare(settings, folder, features, fingerprint(settings.data))
        call(group.enter(PREPARE), request, PrepareResult)
        manifest = read_manifest(features)
        return ", ".join(f"{split.rows:,} {name}" for name, split in manifest.splits.items())

    def train(group: Group) -> str:
        request = to_train(settings, folder / "train", features, 1, None)
        trained.append(call(group.enter(TRAIN), request, TrainResult))
        return f"{trained[0].rows_per_second:,.0f} rows/s, waiting {trained[0].metrics['data_wait_share']:.2%}"

    def score(group: Group) -> str:
        request = to_evaluate(settings, folder, features, trained[0].weights, None)
        return f"AUC {call(group.enter(EVALUATE), request, EvaluateResult).metrics['test']['auc'].value:.4f}"

    return {"prepare": prepare, "train": train, "score": score}


def size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    """Make the data, run the stages, print a table and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memory", default="1280m", help="of each stage, all of it")
    parser.add_argument("--heap", default="560m", help="of Spark")
    parser.add_argument("--feed", default="64m", help="feed.memory")
    parser.add_argument("--times", type=int, default=195, help="copies of the year")
    options = parser.parse_args()
    limit = int(options.memory[:-1]) * UNITS[options.memory[-1]]
    with tempfile.TemporaryDirectory(prefix="memory-") as temporary:
        source, folder = Path(temporary) / "flights", Path(temporary) / "run"
        subprocess.run([sys.executable, "-m", "spark_jobs.scale", str(options.times), str(source)], check=True)
        words = [f"data.path={source}", f"spark.memory={options.heap}", f"feed.memory={options.feed}"]
        settings = compose("flights_delay", [*words, "trainer.max_epochs=1", f"home={folder}"])
        table = Table(title=f"{options.memory} for {size(source) / 2**30:.1f} GiB of CSV: {machine()}")
        for heading in ("stage", "seconds", "memory, most MiB", "with cache, most MiB", ""):
            table.add_column(heading, justify="left" if heading in ("stage", "") else "right")
        found = {}
        for name, stage in stages(settings, folder).items():
            started = time.perf_counter()
            with limited(limit) as (group, used):
                said = stage(group)
            seconds = time.perf_counter() - started
            found[name] = {"seconds": seconds, "anonymous_bytes": used.anonymous, "peak_bytes": used.peak, "said": said}
            peak = "not counted" if used.peak is None else f"{used.peak / 2**20:,.0f}"
            table.add_row(name, f"{seconds:,.0f}", f"{used.anonymous / 2**20:,.0f}", peak, said)
            print(f"{name}: {found[name]}", file=sys.stderr)
        times = {"csv": size(source) / limit, "feature set and its mapped rows": size(folder / "features") / limit}
    Console(width=120).print(table)
    print(", ".join(f"{what}: {ratio:.1f} times the memory" for what, ratio in times.items()))
    print(
        json.dumps(
            {"benchmark": "memory", "date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine(), "times": times}
            | {"limit": limit, "stages": found}
        )
    )


if __name__ == "__main__":
    main()
