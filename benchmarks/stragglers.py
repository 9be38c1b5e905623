"""What is left of two ranks' speed when one of them is slow, and what ranks send, by strategy, on flights.

    python -m benchmarks.stragglers [--seeds 11 12 13] [--factor 3] [--ways ddp async ...] [--features FOLDER]

Every way trains the same network over two ranks of one thread each, with and without a slow rank. "Own speed" of a rank
is rows in a second of its own work (`models.pace`), so "of own speeds" is 1 where no rank ever waits: rows in a second
of all ranks together over the sum of their own speeds, in the last epoch, validation not counted. "Of one alone" is the
same beside what one process on one thread does, times 1 + 1 for equal ranks and 1 + 1 / factor for unequal ones: there
counts also what the ranks' work costs more than one process's. The metric is that of the test split, over seeds; its
difference from the first way (`ddp`) with equal ranks is paired by seed, with the 95 % t interval.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.accuracy import against
from benchmarks.by_hand import call
from benchmarks.report import machine
from conf.compose import compose
from conf.exchange import EvaluateResult, PrepareResult, TrainResult
from flows.engines import EVALUATE, PREPARE, TRAIN, to_evaluate, to_prepare, to_train
from spark_jobs.fingerprint import fingerprint

RANKS = 2
METRIC = "auc"
ALONE = "single"
WAYS: dict[str, list[str]] = {
    "ddp": ["strategy=ddp"],
    "ddp, dynamic": ["strategy=ddp", "strategy.balance=dynamic"],
    "async": ["strategy=async"],
    "local_sgd": ["strategy=local_sgd"],
}
MEBIBYTE = 2**20


class Run(NamedTuple):
    """One training: rows a second in its last epoch, sum of its ranks' own speeds, bytes of a step, and its worth."""

    speed: float
    own: float
    sent: float
    score: float


def trained(features: str, folder: Path, overrides: Sequence[str], ranks: int) -> Run:
    """Train and judge once."""
    settings = compose("flights_delay", overrides)
    wanted = to_train(settings, folder, features, ranks, None)
    if ranks == 1:
        wanted = wanted.model_copy(update={"cores": 1})
    result = call(TRAIN, wanted, TrainResult)
    asked = to_evaluate(settings, folder, features, result.weights, None)
    score = call(EVALUATE, asked, EvaluateResult).metrics["test"][METRIC].value
    told = result.metrics
    own = [told[f"rank_{rank}_rows_per_second"] for rank in range(ranks)]
    busy = told["rank_0_step_seconds"] / (told["rank_0_step_seconds"] + told["rank_0_wait_seconds"])
    speed = own[0] * busy / told["rank_0_rows_share"]  # rank 0's rows in a second of any kind, and those of others
    return Run(speed, sum(own), told["communicated_bytes"], score)


def show(found: dict[str, dict[float, list[Run]]], seeds: Sequence[int]) -> None:
    """Print the table and its JSON line."""
    title = f"stragglers, test {METRIC}, seeds {', '.join(map(str, seeds))}: {machine()}, {datetime.now(UTC):%Y-%m-%d}"
    table = Table(title=title)
    for heading in ("way", "slow", "rows/s", "of own speeds", "of one alone", "sent MiB", METRIC, "difference"):
        table.add_column(heading, justify="left" if heading == "way" else "right")
    alone = statistics.median(run.speed for run in found.pop(ALONE)[1.0])
    base = [run.score for run in next(iter(found.values()))[1.0]]
    rows = {}
    for way, by_factor in found.items():
        for factor, runs in by_factor.items():
            kept = [run.speed / run.own for run in runs]
            whole = [run.speed / (alone * (1 + (RANKS - 1) / factor)) for run in runs]
            sent, scores = runs[0].sent / MEBIBYTE, [run.score for run in runs]
            middle = [statistics.median(each) for each in ([run.speed for run in runs], kept, whole)]
            numbers = (f"{middle[0]:,.0f}", f"{middle[1]:.2f}", f"{middle[2]:.2f}", f"{sent:.3f}")
            gap = "" if scores == base or len(seeds) == 1 else "{:+.4f} ± {:.4f}".format(*against(scores, base))
            slow = f"{factor:g}x" if factor > 1 else ""
            table.add_row(way, slow, *numbers, f"{statistics.mean(scores):.4f}", gap)
            rows[f"{way}, {factor:g}"] = {"kept": kept, "of_one_alone": whole, "runs": [run._asdict() for run in runs]}
    Console(width=120).print(table)
    facts = {"benchmark": "stragglers", "seeds": list(seeds), "machine": machine(), "time": time.time()}
    print(json.dumps({**facts, "alone": alone, "ways": rows}))


def main() -> None:
    """Train every way in turn, seed by seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13])
    parser.add_argument("--factor", type=float, default=3.0, help="times as long as rank 1's own work takes it")
    parser.add_argument("--hidden", default="512,512,512", help="widths of the blocks")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--features", help="a feature set that is there already")
    options = parser.parse_args()
    factors = dict.fromkeys(options.ways, (1.0, options.factor)) | {ALONE: (1.0,)}
    found: dict[str, dict[float, list[Run]]] = {way: {factor: [] for factor in factors[way]} for way in factors}
    with tempfile.TemporaryDirectory(prefix="stragglers-") as temporary:
        home = Path(temporary)
        features = options.features or str(home / "features")
        if options.features is None:
            settings = compose("flights_delay")
            call(PREPARE, to_prepare(settings, home, features, fingerprint(settings.data)), PrepareResult)
        for seed in options.seeds:
            for way, by_factor in found.items():
                for factor, runs in by_factor.items():
                    said = [*WAYS.get(way, ["strategy=single"]), f"seed={seed}", f"model.hidden=[{options.hidden}]"]
                    said += [f"trainer.max_epochs={options.epochs}"]
                    said += ["fault.slow_rank=1", f"fault.slow_factor={factor}"] if factor > 1 else []
                    folder = home / f"{way}-{factor}-{seed}".replace(" ", "")
                    runs.append(trained(features, folder, said, 1 if way == ALONE else RANKS))
                    print(f"{way} {factor:g} seed {seed}: {runs[-1]}", file=sys.stderr)
    show(found, options.seeds)


if __name__ == "__main__":
    main()
