"""Gradient checkpointing of a deep network: memory against time, the depth that fits, and what whole steps take.

    python -m benchmarks.checkpointing [--blocks 512] [--width 256] [--rows 2048] [--repetitions 3] [--plot FILE.svg]

The network is `resnet`, residual and normalised: a plain stack of ReLUs drifts into denormals, and flatters the result.
Every measurement is a process of its own with two threads. Memory is counted: bytes of the tensors that a step makes,
while most of them are alive; what a kernel needs for itself is not in it, so the growth of the resident size stands
beside.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import get_args

from matplotlib.figure import Figure
from rich.console import Console

from benchmarks.checkpointing_one import Case, Found
from benchmarks.feed_data import feature_set
from benchmarks.report import machine, table
from conf.compose import compose
from conf.networks import Resnet
from conf.training import Checkpointing
from models.launching.allocator import BETTER, OWN_PAGES, PRELOAD, better, variables
from models.parallel.plan import Sketch

HOW: tuple[Checkpointing, ...] = get_args(Checkpointing)
BUDGET_BLOCKS = 48  # whose activations, all kept, are the budget for depth
DEEPEST = 8192
FULL_ROWS = (32, 64, 128, 256, 1024)  # of whole steps
STEPS = 3
PARTS = ("curve", "depth", "steps", "allocators")
MIB = 2**20
CURVE = ("way", "kept MiB", "most MiB", "resident MiB", "times less", "s", "times none", "gradients differ")
ALLOCATED = ("way", "counted MiB", "resident MiB", "s")


class Bench:
    """What all measurements have in common.

    Attributes:
        environment: what measurements have in it beside that which a rank would have.

    """

    def __init__(self, folder: Path, width: int, rows: int, repetitions: int) -> None:
        """Make the data."""
        self.folder, self.rows, self._repetitions = folder, rows, repetitions
        self.manifest = feature_set(folder / "features", "1m", "lz4")
        self._settings = compose(
            "flights_delay", ["model=resnet", f"model.width={width}", f"model.hidden={width}", "model.dropout=0"]
        )
        self.trainer = self._settings.trainer
        self.environment: dict[str, str] | None = None  # as ranks have it

    def model(self, blocks: int) -> Resnet:
        """The network, so deep."""
        assert isinstance(self._settings.model, Resnet)
        return self._settings.model.model_copy(update={"blocks": blocks})

    def run(
        self,
        how: Checkpointing,
        blocks: int,
        *,
        bf16: bool,
        full: bool = False,
        rows: int | None = None,
        gradients: Path | None = None,
    ) -> list[Found]:
        """Measure one case several times."""
        feed = self._settings.feed.model_copy(update={"batch_size": rows or self.rows})
        case = Case(
            features=str(self.folder / "features"),
            model=self.model(blocks),
            optimizer=self._settings.optimizer,
            feed=feed,
            checkpointing=how,
            bf16=bf16,
            steps=STEPS,
            full=full,
            gradients=gradients,
        )
        file = self.folder / "case.json"
        file.write_text(case.model_dump_json(), encoding="utf-8")
        command = [sys.executable, "-m", "benchmarks.checkpointing_one", str(file)]
        found = []
        environment = os.environ | (variables(how) if self.environment is None else self.environment)
        for _ in range(self._repetitions):
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
            found.append(Found.model_validate_json(done.stdout.splitlines()[-1]))
        print(f"{how} {blocks} blocks, bf16 {bf16}, full {full}, {feed.batch_size} rows: {found[-1]}", file=sys.stderr)
        return found


def curve(bench: Bench, blocks: int) -> dict[str, dict[str, float]]:
    """Memory and time of a forward and a backward pass, for each way and precision."""
    shown = table(f"forward and backward, {blocks} blocks, {bench.rows:,} rows", *CURVE)
    found: dict[str, dict[str, float]] = {}
    for bf16 in (False, True):
        for how in HOW:
            gradients = bench.folder / f"gradients-{bf16}.pt"
            runs = bench.run(how, blocks, bf16=bf16, gradients=gradients)
            seconds = statistics.median(run.seconds for run in runs)
            difference = max(run.difference or 0.0 for run in runs)
            name = f"{how}, {'bf16' if bf16 else 'fp32'}"
            found[name] = {**runs[-1].model_dump(), "seconds": seconds, "difference": difference}
            base = found[f"none, {'bf16' if bf16 else 'fp32'}"]
            most, resident = runs[-1].most_bytes, runs[-1].resident_bytes
            shown.add_row(
                name,
                *(f"{size / MIB:,.0f}" for size in (runs[-1].kept_bytes, most, resident)),
                f"{base['most_bytes'] / most:.1f}",
                f"{seconds:.2f}",
                f"{seconds / base['seconds']:.2f}",
                f"{difference:.1e}",
            )
    Console(width=120).print(shown)
    return found


def depth(bench: Bench) -> dict[str, dict[str, float]]:
    """How deep a network fits into the activations that a shallow one takes when all are kept."""

    def most_bytes(how: Checkpointing, blocks: int) -> int:
        sketch = Sketch(bench.model(blocks), bench.manifest, bench.trainer, how, bench.rows)
        return sketch.step(bench.rows).activations_bytes

    budget = most_bytes("none", BUDGET_BLOCKS)
    shown = table(
        f"depth in {budget / MIB:,.0f} MiB of activations, {bench.rows:,} rows",
        "way",
        "blocks",
        "times",
        "measured MiB",
    )
    found: dict[str, dict[str, float]] = {}
    for how in HOW:
        blocks = _deepest(budget, partial(most_bytes, how))
        (run, *_) = bench.run(how, blocks, bf16=False)
        found[how] = {"blocks": blocks, "most_bytes": run.most_bytes, "budget_bytes": budget}
        shown.add_row(how, f"{blocks:,}", f"{blocks / BUDGET_BLOCKS:.1f}", f"{run.most_bytes / MIB:,.0f}")
    Console(width=120).print(shown)
    return found


def steps(bench: Bench, blocks: int) -> dict[str, dict[str, float]]:
    """What whole steps of training take, with feed, clipping and optimizer, for batches of several sizes."""
    shown = table(
        f"whole steps, {blocks} blocks", "rows", *(f"{how} s" for how in HOW), *(f"{how} times" for how in HOW[1:])
    )
    found: dict[str, dict[str, float]] = {}
    for rows in FULL_ROWS:
        taken = {
            how: statistics.median(run.seconds for run in bench.run(how, blocks, bf16=False, full=True, rows=rows))
            for how in HOW
        }
        found[str(rows)] = {str(how): seconds for how, seconds in taken.items()}
        ratios = (f"{taken[how] / taken['none']:.2f}" for how in HOW[1:])
        shown.add_row(f"{rows:,}", *(f"{seconds:.3f}" for seconds in taken.values()), *ratios)
    Console(width=120).print(shown)
    return found


def allocators(bench: Bench, blocks: int) -> dict[str, dict[str, float]]:
    """What a step takes of the system's memory, by who hands it out, and how long."""
    ways = {"glibc": {PRELOAD: ""}, "glibc, pages of their own": {PRELOAD: "", **OWN_PAGES}}
    ways |= {BETTER: {PRELOAD: library}} if (library := better()) else {}
    shown = table(f"resident memory, {blocks} blocks, {bench.rows:,} rows", "allocator", *ALLOCATED)
    found: dict[str, dict[str, float]] = {}
    for name, bench.environment in ways.items():
        for how in ("none", "sqrt"):
            runs = bench.run(how, blocks, bf16=False)
            middle = {
                key: statistics.median(getattr(run, key) for run in runs)
                for key in ("most_bytes", "resident_bytes", "seconds")
            }
            found[f"{name}, {how}"] = middle
            sizes = (f"{middle[key] / MIB:,.0f}" for key in ("most_bytes", "resident_bytes"))
            shown.add_row(name, how, *sizes, f"{middle['seconds']:.2f}")
    bench.environment = None
    Console(width=120).print(shown)
    return found


def draw(found: dict[str, dict[str, float]], file: Path) -> None:
    """Draw memory against time."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for precision, marker in (("fp32", "o"), ("bf16", "s")):
        base = found[f"none, {precision}"]
        places = {
            how: (
                found[f"{how}, {precision}"]["seconds"] / base["seconds"],
                found[f"{how}, {precision}"]["most_bytes"] / MIB,
            )
            for how in HOW
        }
        axes.plot(*zip(*sorted(places.values()), strict=True), marker=marker, label=precision)
        for how, place in places.items():
            axes.annotate(how, place, xytext=(5, 5), textcoords="offset points", fontsize=8)
    axes.set(
        yscale="log", xlabel="time of a forward and a backward pass, times that without", ylabel="activations, MiB"
    )
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.margins(0.1)
    axes.legend()
    axes.grid(visible=True, which="both", alpha=0.3)
    figure.savefig(file)


def _deepest(budget: int, takes: Callable[[int], int]) -> int:
    """The largest number of blocks that fits, by doubling and then halving."""
    low, high = BUDGET_BLOCKS, 2 * BUDGET_BLOCKS
    while high < DEEPEST and takes(high) <= budget:
        low, high = high, 2 * high
    while high - low > low // 50 + 1:
        middle = (low + high) // 2
        low, high = (middle, high) if takes(middle) <= budget else (low, middle)
    return low


def main() -> None:
    """Measure, print tables and a JSON line, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=512)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--rows", type=int, default=2048)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--plot", type=Path, help="memory against time, drawn")
    options = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory(prefix="checkpointing-") as temporary:
        bench = Bench(Path(temporary), options.width, options.rows, options.repetitions)
        if "curve" in options.parts:
            found["curve"] = curve(bench, options.blocks)
            if options.plot:
                draw(found["curve"], options.plot)
        if "depth" in options.parts:
            found["depth"] = depth(bench)
        if "steps" in options.parts:
            found["steps"] = steps(bench, options.blocks)
        if "allocators" in options.parts:
            found["allocators"] = allocators(bench, options.blocks)
    print(json.dumps({"benchmark": "checkpointing", "machine": machine(), "found": found}))


if __name__ == "__main__":
    main()
