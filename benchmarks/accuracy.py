"""Whether the strategies land within noise of `single`: the same training over several seeds, judged on the test split.

    python -m benchmarks.accuracy [--seeds 11 12 13 14 15] [--experiments ...] [--strategies ...] [--overrides ...]

Each experiment's feature set is prepared once. Strategies are paired by seed: the table gives each strategy's mean and
spread over seeds, and the mean difference from the first strategy with its 95 % t interval; "within noise" means that
the interval holds 0.
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

from rich.console import Console
from rich.table import Table
from scipy import stats

from benchmarks.by_hand import call
from benchmarks.report import machine
from conf.compose import compose
from conf.exchange import EvaluateResult, PrepareResult, TrainResult
from flows.engines import EVALUATE, PREPARE, TRAIN, to_evaluate, to_prepare, to_train
from models.parallel.room import ranks_of
from spark_jobs.fingerprint import fingerprint

METRIC = {"flights_delay": "auc", "flights_airtime": "rmse"}
Scores = dict[str, list[float]]


def scores(experiment: str, strategies: Sequence[str], seeds: Sequence[int], overrides: list[str]) -> Scores:
    """Test metric by strategy, one for each seed."""
    found: Scores = {strategy: [] for strategy in strategies}
    with tempfile.TemporaryDirectory(prefix="accuracy-") as temporary:
        home = Path(temporary)
        data = compose(experiment, overrides)
        features = str(home / "features")
        call(PREPARE, to_prepare(data, home, features, fingerprint(data.data)), PrepareResult)
        for seed in seeds:
            for strategy in strategies:
                settings = compose(experiment, [f"strategy={strategy}", f"seed={seed}", *overrides])
                ranks = ranks_of(settings)
                folder = home / f"{strategy}-{seed}"
                trained = call(TRAIN, to_train(settings, folder, features, ranks, None), TrainResult)
                asked = to_evaluate(settings, folder, features, trained.weights, None)
                test = call(EVALUATE, asked, EvaluateResult).metrics["test"]
                found[strategy].append(test[METRIC[experiment]].value)
                print(f"{experiment} {strategy} seed {seed}: {found[strategy][-1]:.4f}", file=sys.stderr)
    return found


def against(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float]:
    """Mean paired difference and the half width of its 95 % t interval."""
    gaps = [a - b for a, b in zip(ours, theirs, strict=True)]
    reach = float(stats.t.ppf(0.975, len(gaps) - 1)) * statistics.stdev(gaps) / len(gaps) ** 0.5
    return statistics.mean(gaps), reach


def show(experiment: str, found: Scores, seeds: Sequence[int]) -> None:
    """Print the table and its JSON line."""
    metric, base = METRIC[experiment], next(iter(found))
    when = f"{datetime.now(UTC):%Y-%m-%d}"
    table = Table(title=f"{experiment}, test {metric}, seeds {', '.join(map(str, seeds))}: {machine()}, {when}")
    for heading in ("strategy", "least", "mean", "most", f"mean difference from {base}", "within noise"):
        table.add_column(heading, justify="left" if heading == "strategy" else "right")
    for strategy, values in found.items():
        row = [f"{value:.4f}" for value in (min(values), statistics.mean(values), max(values))]
        if strategy == base:
            table.add_row(strategy, *row, "", "")
            continue
        gap, reach = against(values, found[base])
        table.add_row(strategy, *row, f"{gap:+.4f} ± {reach:.4f}", "yes" if abs(gap) <= reach else "no")
    Console(width=120).print(table)
    facts = {"benchmark": "accuracy", "experiment": experiment, "metric": metric, "seeds": list(seeds)}
    print(json.dumps({**facts, "machine": machine(), "time": time.time(), "scores": found}))


def main() -> None:
    """Measure every experiment asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13, 14, 15])
    parser.add_argument("--experiments", nargs="+", choices=list(METRIC), default=list(METRIC))
    parser.add_argument("--strategies", nargs="+", default=["single", "ddp", "fsdp"])
    parser.add_argument("--overrides", nargs="*", default=[], help="such as trainer.max_epochs=2")
    options = parser.parse_args()
    for experiment in options.experiments:
        found = scores(experiment, options.strategies, options.seeds, options.overrides)
        show(experiment, found, options.seeds)


if __name__ == "__main__":
    main()
