"""Data five times larger than the memory: prepared, trained on for an epoch and scored, each stage inside that memory.

    python -m benchmarks.memory [--memory 1280m] [--heap 560m] [--feed 64m] [--times 195]

Flights are multiplied first (`spark_jobs.scale`), which is outside the limit. Then each stage runs in a control group
of the kernel that holds all its processes, and what they have in the system's cache, under the limit: a stage that
takes more is killed. Needs Linux and the right to make such a group, which is root's.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from rich.console import Console
from rich.table import Table

from benchmarks.by_hand import call
from benchmarks.report import machine
from conf.compose import compose
from conf.exchange import EvaluateResult, PrepareResult, TrainResult
from conf.manifest import read_manifest
from conf.schema import Settings
from flows.engines import EVALUATE, PREPARE, to_evaluate, to_prepare, to_train, torchrun
from spark_jobs.fingerprint import fingerprint

ROOT = Path("/sys/fs/cgroup")
UNITS = {"m": 2**20, "g": 2**30}
SECONDS_BETWEEN = 0.2
ENTER = 'echo $$ > "$0/cgroup.procs" && exec "$@"'


class Group:
    """A control group with a limit of memory; version 1 of the kernel's interface, or version 2."""

    def __init__(self, limit_bytes: int) -> None:
        """Make it."""
        old = ROOT / "memory"
        self.folder = (old if old.is_dir() else ROOT) / f"franklin-{uuid4().hex[:8]}"
        self._stat = "total_rss" if old.is_dir() else "anon"
        self.folder.mkdir()
        limit = "memory.limit_in_bytes" if old.is_dir() else "memory.max"
        (self.folder / limit).write_text(str(limit_bytes), encoding="ascii")

    def enter(self, command: list[str]) -> list[str]:
        """A command that runs in the group."""
        return ["sh", "-c", ENTER, str(self.folder), *command]

    def anonymous(self) -> int:
        """Bytes of memory that processes of the group have now and that are not of files."""
        lines = (self.folder / "memory.stat").read_text(encoding="ascii").splitlines()
        return int(next(line.split()[1] for line in lines if line.split()[0] == self._stat))

    def close(self) -> None:
        """Wait for the last of its processes, and remove it."""
        while (self.folder / "cgroup.procs").read_text(encoding="ascii"):
            time.sleep(SECONDS_BETWEEN)
        self.folder.rmdir()


@contextmanager
def limited(limit_bytes: int) -> Iterator[tuple[Group, list[int]]]:
    """Open a group, and keep the most memory that it had; that stands in the list at the end."""
    group, most, ended = Group(limit_bytes), [0], threading.Event()

    def watch() -> None:
        while not ended.wait(SECONDS_BETWEEN):
            most[0] = max(most[0], group.anonymous())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield group, most
    finally:
        ended.set()
        thread.join()
        group.close()


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
        trained.append(call(group.enter(torchrun(1)), request, TrainResult))
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
        for heading in ("stage", "seconds", "memory, most MiB", ""):
            table.add_column(heading, justify="left" if heading in ("stage", "") else "right")
        found = {}
        for name, stage in stages(settings, folder).items():
            started = time.perf_counter()
            with limited(limit) as (group, most):
                said = stage(group)
            seconds = time.perf_counter() - started
            found[name] = {"seconds": seconds, "anonymous_bytes": most[0], "said": said}
            table.add_row(name, f"{seconds:,.0f}", f"{most[0] / 2**20:,.0f}", said)
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
