"""What strategies reach on this machine, on flights: speed of replicas, memory of shards, idling of pipelines, bf16.

    python -m benchmarks.parallel [--repetitions 3] [--parts scaling state pipeline precision] [--blocks 17]

scaling    rows a second of ddp on two ranks of one thread each against one process of one thread
state      bytes of parameters, gradients and optimizer that a rank of fsdp holds, against one process
pipeline   share of a step that two ranks idle, and activations that they keep, for more and more parts of a batch
precision  rows a second and validation loss of bf16 against fp32, on a wide network
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.by_hand import call
from benchmarks.report import machine, table
from conf.compose import compose
from conf.exchange import PrepareResult, TrainResult
from flows.engines import PREPARE, TRAIN, engine, to_prepare, to_train
from spark_jobs.fingerprint import fingerprint

DEFAULT, WIDE = "256,128,64", "1024,1024,1024"
SCALED = ((DEFAULT, 1024), (DEFAULT, 4096), (WIDE, 1024), (WIDE, 4096))
RANKS = 2
PART_ROWS, STEPS = 256, 9  # of a pipeline: rows of each part, timed steps
TORCHRUN = [*engine("torch.distributed.run"), "--standalone", f"--nproc-per-node={RANKS}", "-m"]
BLOCKS = 17  # the first takes fewer columns and so is small; the others can be cut evenly into 2 or 4 stages
MIB = 2**20


class Bench:
    """Trainings on one feature set."""

    def __init__(self, folder: Path, repetitions: int, blocks: int) -> None:
        """Do nothing yet."""
        self.repetitions, self.blocks = repetitions, blocks
        self._folder, self._count = folder, 0

    @cached_property
    def features(self) -> str:
        """Flights, prepared when they are first wanted."""
        settings, folder = compose("flights_delay"), str(self._folder / "features")
        call(PREPARE, to_prepare(settings, self._folder, folder, fingerprint(settings.data)), PrepareResult)
        return folder

    def train(self, ranks: int, *overrides: str) -> list[TrainResult]:
        """Train one epoch, several times."""
        settings = compose("flights_delay", ["trainer.max_epochs=1", *overrides])
        found = []
        for _ in range(self.repetitions):
            self._count += 1
            request = to_train(settings, self._folder / str(self._count), self.features, ranks, None)
            found.append(call(TRAIN, request, TrainResult))
        print(*overrides, found[-1].metrics, file=sys.stderr)
        return found


@contextmanager
def one_core() -> Iterator[None]:
    """Have processes that are started within it use one core."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def scaling(bench: Bench) -> Any:
    """Two replicas against one process."""
    shown = table("ddp, 2 ranks of a thread, against a process of a thread", "network, batch", "one", "two", "times")
    found = {}
    for hidden, batch in SCALED:
        words = (f"model.hidden=[{hidden}]", f"feed.batch_size={batch}")
        with one_core():
            one = [run.rows_per_second for run in bench.train(1, *words)]
        two = [
            run.rows_per_second for run in bench.train(RANKS, "strategy=ddp", f"strategy.world_size={RANKS}", *words)
        ]
        found[f"{hidden}, {batch}"] = {"one": one, "two": two}
        single, double = statistics.median(one), statistics.median(two)
        shown.add_row(f"[{hidden}], {batch:,}", f"{single:,.0f}", f"{double:,.0f}", f"{double / single:.2f}")
    Console(width=110).print(shown)
    return found


def state(bench: Bench) -> Any:
    """Shards against the whole."""
    words = (f"model.hidden=[{WIDE}]",)
    ways = {
        "single": bench.train(1, *words)[-1].metrics,
        "fsdp": bench.train(RANKS, "strategy=fsdp", f"strategy.world_size={RANKS}", *words)[-1].metrics,
    }
    shown = table(f"state of a rank, [{WIDE}]", "strategy", "parameters MiB", "gradients MiB", "optimizer MiB", "share")
    found = {}
    for name, metrics in ways.items():
        parts = [metrics[f"{part}_bytes"] for part in ("parameters", "gradients", "optimizer")]
        found[name] = sum(parts)
        shown.add_row(name, *(f"{size / MIB:.2f}" for size in parts), f"{found[name] / found['single']:.3f}")
    Console(width=110).print(shown)
    return found


def pipeline(bench: Bench) -> Any:
    """Idling and memory of schedules."""
    headings = ("schedule", "parts", "in theory", "idle", "torch's idle", "times torch's speed", "activations, MiB")
    shown = table(f"pipeline over 2 ranks, {bench.blocks} blocks", *headings)
    found = []
    for schedule in ("gpipe", "1f1b", "interleaved"):
        for parts in range(RANKS, 8 * RANKS + 1, RANKS):
            numbers = map(str, (parts, PART_ROWS, STEPS, bench.blocks))
            arguments = [schedule, *numbers]
            runs: dict[str, list[dict[str, Any]]] = {"ours": [], "torch": []}
            for _ in range(bench.repetitions):
                for whose, each in runs.items():
                    each.append(_printed([*TORCHRUN, "benchmarks.pipeline_one", whose, *arguments]))
            idle, seconds = (
                {whose: statistics.median(run[key] for run in each) for whose, each in runs.items()}
                for key in ("idle_share", "seconds")
            )
            works = parts * (2 if schedule == "interleaved" else 1)
            theory = (RANKS - 1) / (works + RANKS - 1)
            found.append({"schedule": schedule, "parts": parts, "theory": theory, "runs": runs})
            kept = ", ".join(f"{size / MIB:.1f}" for size in runs["ours"][-1]["most_bytes"])
            shares = (f"{share:.3f}" for share in (theory, idle["ours"], idle["torch"]))
            shown.add_row(schedule, str(parts), *shares, f"{seconds['torch'] / seconds['ours']:.2f}", kept)
    Console(width=110).print(shown)
    return found


def _printed(command: list[str]) -> dict[str, Any]:
    """What rank 0 prints last."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    printed: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return printed


def precision(bench: Bench) -> Any:
    """Mixed precision against single."""
    shown = table(f"precision, [{WIDE}], batch 4,096", "precision", "rows/s", "times", "validation loss")
    found = {}
    for name in ("32-true", "bf16-mixed"):
        runs = bench.train(1, f"model.hidden=[{WIDE}]", "feed.batch_size=4096", f"trainer.precision={name}")
        found[name] = [(run.rows_per_second, run.validation_loss) for run in runs]
        rate, base = (statistics.median(row for row, _ in found[way]) for way in (name, "32-true"))
        losses = ", ".join(f"{loss:.4f}" for _, loss in found[name])
        shown.add_row(name, f"{rate:,.0f}", f"{rate / base:.2f}", losses)
    Console(width=110).print(shown)
    return found


PARTS = {"scaling": scaling, "state": state, "pipeline": pipeline, "precision": precision}


def main() -> None:
    """Run the parts, print a table for each and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--blocks", type=int, default=BLOCKS, help="of a pipeline's network")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="parallel-") as temporary:
        bench = Bench(Path(temporary), options.repetitions, options.blocks)
        found = {name: PARTS[name](bench) for name in options.parts}
    print(json.dumps({"benchmark": "parallel", "machine": machine(), "found": found}))


if __name__ == "__main__":
    main()
