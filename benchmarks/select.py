"""Whether `franklin select` chooses as well as others that choose by themselves, in the same time on two cores.

    python -m benchmarks.select [--sets ...] [--seeds 11 12 13 14 15] [--seconds 600] [--peers PYTHON ...]
        [--kept FILE] [--overrides ...]

All get the same encoded train, validation and test rows and so many seconds (ours has `for_fits` of them for fits,
the rest for what it shows beside them); the test metric is judged here, for all alike. Contestants are paired by seed;
of the bundled sets, a seed has rows of its own for test. Differences are such that more is better for franklin, with
the 95 % t interval over seeds: "as good" means that franklin's best is not behind by more than that. Peers are looked
for in this environment, then in those of the interpreters of `--peers`; who is nowhere, or fails, is left out of that
seed, which is said:

    for peer in "flaml[automl]" autogluon.tabular[all]; do
        python -m venv /tmp/peers/${peer%%[*} && /tmp/peers/${peer%%[*}/bin/pip install "$peer" pandas
    done
    python -m benchmarks.select --peers /tmp/peers/*/bin/python

All sets and seeds take hours. With `--kept FILE`, each seed of a set is added to a file of JSON lines once all have
chosen, and those that are there (of so many seconds, on such a machine) are not held again but shown with the others.
`benchmarks/select.jsonl` has those of which RESULTS.md has five seeds; newer lines have the commit, `version`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from scipy import stats

from benchmarks.by_hand import call
from benchmarks.failures import complaint
from benchmarks.report import machine, table
from benchmarks.select_one import NOT_HERE
from benchmarks.select_peers import CORES, PEERS
from benchmarks.select_sets import FLIGHTS, SETS, experiment, prepare
from conf.data import Task
from conf.manifest import read_manifest
from conf.selecting import ContestResult, Findings, Standing
from flows.contestants import contest_settings, networks, spelt, to_contest
from flows.engines import CONTEST
from models.evaluation.metrics import judge, main_metric

BEST, RECOMMENDED = "franklin, best", "franklin, recommended"
# What our contest does beside fits: imports, rows, assumptions and the report, in seconds, and explanations of a share.
BESIDE, SHARE = 20.0, 0.05
TENTH = 0.1  # of the winner's latency, that the recommended one may take
Run = dict[str, Any]  # metric, seconds, chosen, one_p50_seconds
Runs = dict[str, dict[int, Run]]  # contestant -> seed -> what it reached
LeftOut = dict[str, dict[int, str]]  # peer -> seed -> why it has no run


def contest(said: str, features: Path, folder: Path, seed: int, overrides: Sequence[str]) -> dict[str, Run]:
    """Hold our contest: what its best and its recommended candidate reach, and the best of each family."""
    words = spelt([f"seed={seed}", f"home={folder / 'home'}", *overrides])
    settings = contest_settings(said, words)
    entrants, absent = networks(said, words, settings, read_manifest(str(features)).task)
    request = to_contest(settings, folder, str(features), entrants, absent=absent)
    started = time.perf_counter()
    result = call(CONTEST, request, ContestResult)
    seconds = time.perf_counter() - started
    found = Findings.model_validate_json(result.findings.read_text(encoding="utf-8"))
    sign = 1 if found.higher_is_better else -1
    judged = [each for each in found.standings if found.metric in each.test]
    families = {
        family: max(sign * each.test[found.metric].value for each in judged if each.family == family) * sign
        for family in {each.family for each in judged}
    }
    named = {each.candidate: each for each in judged}
    runs = {
        who: _of(named[candidate], found.metric, seconds)
        for who, candidate in ((BEST, found.recommendation.best), (RECOMMENDED, found.recommendation.candidate))
    }
    runs[BEST]["families"] = families
    runs[BEST]["quick"] = quick(judged, named[found.recommendation.best])
    return runs


def quick(standings: Sequence[Standing], best: Standing) -> list[str]:
    """Who is within one standard error of the best, and takes at most a tenth of its time for a row."""
    within = [each for each in standings if each.behind is not None and each.behind <= (each.behind_error or 0.0)]
    times = {each.candidate: each.latency.one_p50_seconds for each in within if each.latency}
    most = TENTH * (best.latency.one_p50_seconds if best.latency else 0.0)
    return [name for name, seconds in times.items() if seconds <= most]


def _of(standing: Standing, metric: str, seconds: float) -> Run:
    one = standing.latency.one_p50_seconds if standing.latency else None
    return {
        "metric": standing.test[metric].value,
        "seconds": seconds,
        "chosen": standing.candidate,
        "one_p50_seconds": one,
    }


def for_fits(seconds: float) -> int:
    """Seconds of the budget, so that all of a contest takes as many as are asked for."""
    return max(1, round((1 - SHARE) * seconds - BESIDE))


def peer(name: str, pythons: Sequence[str], rows: Path, folder: Path, *, seconds: float, seed: int) -> Run | str:
    """Have a peer choose, in the first interpreter that has it; a word why, if none has or it failed."""
    for python in pythons:
        command = [python, "-m", "benchmarks.select_one", name, str(rows), str(folder), str(seconds), str(seed)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == NOT_HERE:
            continue
        if done.returncode:
            return complaint(done.stderr) or f"ended with {done.returncode}"
        found: Run = json.loads(done.stdout.splitlines()[-1])
        task: Task = json.loads((rows / "facts.json").read_text(encoding="utf-8"))["task"]
        found["metric"] = score(task, np.load(folder / "scores.npy"), np.load(rows / "test.label.npy"))
        return found
    return "not installed in any interpreter"


def score(task: Task, scores: Any, label: Any) -> float:
    """The main metric on test, as everything is judged."""
    return judge(task, scores, label)(np.ones(len(label)))[main_metric(task).name]


def paired(ours: Sequence[float], theirs: Sequence[float], sign: int) -> tuple[float, float | None]:
    """Mean paired difference, more being better, and the half width of its 95 % t interval; None: one pair alone."""
    gaps = [sign * (a - b) for a, b in zip(ours, theirs, strict=True)]
    if len(gaps) == 1:
        return gaps[0], None
    reach = float(stats.t.ppf(0.975, len(gaps) - 1)) * statistics.stdev(gaps) / len(gaps) ** 0.5
    return statistics.mean(gaps), reach


def verdicts(runs: Runs, sign: int) -> dict[str, Any]:
    """Say what became of what has to be reached: as good as the best peer, quick; and of boosting against networks."""
    others = {who: _against(runs, BEST, who, sign) for who in runs if who not in (BEST, RECOMMENDED)}
    said: dict[str, Any] = {}
    if others:
        most = max(len(runs[who]) for who in others)  # a peer that got through on one seed alone says little
        best = min((who for who in others if len(runs[who]) == most), key=lambda who: others[who][0])
        gap, reach = others[best]
        said["seeds_with_it"] = most
        said["best_peer"], said["ahead_of_it"], said["reach"] = best, gap, reach
        said["as_good"] = gap + (reach or 0) >= 0
    chosen = {seed: (run, runs[BEST][seed]) for seed, run in runs[RECOMMENDED].items()}
    ratios = {seed: _ratio(ours, best) for seed, (ours, best) in chosen.items() if ours["chosen"] != best["chosen"]}
    said["seeds_with_a_simpler_one"] = len(ratios)  # within one standard error of the best
    if any(ratios.values()):
        said["latency_of_recommended_to_best"] = statistics.median(filter(None, ratios.values()))
    if known := {seed: best["quick"] for seed, (_, best) in chosen.items() if "quick" in best}:  # not in older lines
        to_be_had = [seed for seed, quick in known.items() if quick]
        said["seeds_where_a_tenth_is_to_be_had"], said["of_seeds"] = len(to_be_had), len(known)
        said["a_tenth_is_recommended_in"] = sum((ratios.get(seed) or 1.0) <= TENTH for seed in to_be_had)
    families = [run["families"] for run in runs[BEST].values() if {"boosting", "network"} <= run["families"].keys()]
    if families:
        said["boosting_beats_networks_in"] = sum(sign * (of["boosting"] - of["network"]) > 0 for of in families)
        said["of"] = len(families)
    return said


def _ratio(ours: Run, best: Run) -> float | None:
    quick, slow = ours["one_p50_seconds"], best["one_p50_seconds"]
    return quick / slow if quick and slow else None


def _latency(runs: Runs, who: str) -> float | None:
    found = [run["one_p50_seconds"] for run in runs[who].values() if run["one_p50_seconds"]]
    return statistics.median(found) if found else None


def _against(runs: Runs, who: str, other: str, sign: int) -> tuple[float, float | None]:
    shared = [seed for seed in runs[who] if seed in runs[other]]
    ours, theirs = ([float(runs[each][seed]["metric"]) for seed in shared] for each in (who, other))
    return paired(ours, theirs, sign)


def show(name: str, task: Task, runs: Runs, left_out: LeftOut, seconds: float) -> None:
    """Print the table of one set and its JSON line."""
    metric = main_metric(task)
    sign = 1 if metric.higher_is_better else -1
    shown = table(
        f"select, {name}, test {metric.title}, {seconds:g} s on {CORES} cores",
        *("who", "chosen", "seeds", "mean", "least to most", f"{BEST} is ahead by", "s", "ms of one row"),
    )
    for who, of in runs.items():
        values = [run["metric"] for run in of.values()]
        gap, reach = _against(runs, BEST, who, sign) if who != BEST else (0.0, 0.0)
        ahead = "" if who == BEST else f"{gap:+.4f}" + ("" if reach is None else f" ± {reach:.4f}")
        chosen = [str(run["chosen"]) for run in of.values()]
        one = _latency(runs, who)
        shown.add_row(
            *(who, ", ".join(dict.fromkeys(chosen)), str(len(of)), f"{statistics.mean(values):.4f}"),
            *(f"{min(values):.4f} to {max(values):.4f}", ahead),
            *(f"{statistics.median(run['seconds'] for run in of.values()):.0f}", f"{one * 1000:.2f}" if one else "-"),
        )
    Console(width=150).print(shown)
    for who, of_seeds in left_out.items():
        for why in dict.fromkeys(of_seeds.values()):
            seeds = ", ".join(str(seed) for seed, said in of_seeds.items() if said == why)
            print(f"{who} is left out of seed {seeds}: {why}")
    said = verdicts(runs, sign)
    facts = {"benchmark": "select", "set": name, "metric": metric.name, "seconds": seconds, "left_out": left_out}
    print(json.dumps({**facts, "machine": machine(), "time": time.time(), "verdicts": said, "runs": runs}))


def hold(name: str, home: Path, options: argparse.Namespace) -> tuple[Task, Runs, LeftOut]:
    """Have all contestants choose for one set, seed by seed, one after the other."""
    runs: Runs = {}
    left_out: LeftOut = {}
    lines = [before(options, name, seed) or _hold(name, home, seed, options) for seed in options.seeds]
    for line in lines:
        for who, run in line["runs"].items():
            runs.setdefault(who, {})[line["seed"]] = run
        for who, why in line.get("failed", {}).items():
            left_out.setdefault(who, {})[line["seed"]] = why
    return lines[0]["task"], runs, left_out


def _hold(name: str, home: Path, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Have all choose once, and keep it, with why those failed that did."""
    folder = home / (name if name in FLIGHTS else f"{name}-{seed}")
    said = experiment(name, folder, seed)
    features = folder / "features" if (folder / "rows").exists() else prepare(said, folder)
    budget = f"contest.budget_seconds={for_fits(options.seconds)}"
    runs = contest(said, features, folder / f"ours-{seed}", seed, [budget, *options.overrides])
    for who, run in runs.items():
        print(f"{name} seed {seed} {who}: {run}", file=sys.stderr)
    failed = {}
    for who in PEERS:
        pythons, place = [sys.executable, *options.peers], folder / f"{who}-{seed}"
        found = peer(who, pythons, folder / "rows", place, seconds=options.seconds, seed=seed)
        print(f"{name} seed {seed} {who}: {found}", file=sys.stderr)
        if isinstance(found, str):
            failed[who] = found
        else:
            runs[who] = found
    line = {**_asked(options, name, seed), "time": time.time(), "task": read_manifest(str(features)).task, "runs": runs}
    line |= {"failed": failed, "version": options.version}
    if options.kept:
        with options.kept.open("a", encoding="utf-8") as kept:
            kept.write(json.dumps(line) + "\n")
    return line


def _version() -> str:
    """The commit that is run, and whether something else than what is kept differs from it."""
    git = ["git", "-C", str(Path(__file__).parent)]
    head, changed = (
        subprocess.run([*git, *words], capture_output=True, text=True, check=False).stdout.strip()
        for words in (["rev-parse", "--short", "HEAD"], ["status", "--porcelain", "--", ":/", ":!*.jsonl"])
    )
    return f"{head or 'unknown'}{'-dirty' if changed else ''}"


def before(options: argparse.Namespace, name: str, seed: int) -> dict[str, Any] | None:
    """What is kept of a set and a seed, asked alike and on such a machine: the newest line."""
    if options.kept is None or not options.kept.exists():
        return None
    lines = [json.loads(line) for line in options.kept.read_text(encoding="utf-8").splitlines()]
    wanted = _asked(options, name, seed).items()
    return next((line for line in reversed(lines) if wanted <= line.items()), None)


def _asked(options: argparse.Namespace, name: str, seed: int) -> dict[str, Any]:
    asked = {"set": name, "seed": seed, "seconds": options.seconds, "overrides": " ".join(options.overrides)}
    return asked | {"machine": machine()}


def main() -> None:
    """Measure every set asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13, 14, 15])
    parser.add_argument("--seconds", type=int, default=600, help="of each contestant, for each set and seed")
    parser.add_argument("--peers", nargs="+", default=[], metavar="PYTHON", help="interpreters that have peers")
    parser.add_argument("--kept", type=Path, metavar="FILE", help="JSON lines of earlier runs, and of these")
    parser.add_argument("--overrides", nargs="*", default=[], help="of ours, such as contest.candidates=[lightgbm]")
    options = parser.parse_args()
    options.version = _version()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])  # all that is started inherits it
    with tempfile.TemporaryDirectory(prefix="select-") as temporary:
        for name in options.sets:
            show(name, *hold(name, Path(temporary), options), options.seconds)


if __name__ == "__main__":
    main()
