"""What the flow adds: `franklin run` against the same engines started by hand.

    python -m benchmarks.overhead [--repetitions 3] [OVERRIDE ...]

By hand, the four engines (Spark job, training, evaluation, registration) run one after the other with nothing around
them, in a folder that is new each time and an MLflow store that is there already. Cold, `franklin run` starts in an
empty home, so it also starts a Prefect server and makes its database and MLflow's. With servers up, the same under a
`franklin up` that is there already. Spark prepares the feature set anew in all three. The order of the ways rotates, so
that a machine that slows down is fair.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mlflow import MlflowClient

from benchmarks.by_hand import call
from benchmarks.report import report
from conf.compose import compose
from conf.exchange import EvaluateResult, PrepareResult, RegisterResult, Track, TrainResult
from conf.schema import Settings
from flows.engines import (
    EVALUATE,
    PREPARE,
    REGISTER,
    TRAIN,
    to_evaluate,
    to_prepare,
    to_register,
    to_train,
)
from flows.up import servers
from models.parallel.room import ranks_of
from spark_jobs.fingerprint import fingerprint

EXPERIMENT = "flights_delay"


def by_hand(settings: Settings, track: Track, folder: Path) -> None:
    """Start the engines one after the other."""
    features = str(folder / "features")
    ranks = ranks_of(settings)
    call(PREPARE, to_prepare(settings, folder, features, fingerprint(settings.data)), PrepareResult)
    trained = call(TRAIN, to_train(settings, folder / "train", features, ranks, track), TrainResult)
    call(EVALUATE, to_evaluate(settings, folder, features, trained.weights, track), EvaluateResult)
    call(REGISTER, to_register(settings, folder, features, trained.weights, track), RegisterResult)


def by_franklin(home: Path, overrides: list[str]) -> None:
    """Run the pipeline as a person does."""
    command = [sys.executable, "-m", "flows.cli", "run", EXPERIMENT, *overrides]
    environment = {**os.environ, "FRANKLIN_HOME": str(home)}
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def timed(work: Callable[[Path], None]) -> float:
    """Seconds of `work` in a new folder."""
    with tempfile.TemporaryDirectory(prefix="overhead-") as folder:
        started = time.monotonic()
        work(Path(folder))
        return time.monotonic() - started


def new_run(folder: Path) -> Callable[[], Track]:
    """A store in `folder` and a function that opens a run there, which is no engine's work."""
    store = f"sqlite:///{folder / 'by-hand.db'}"
    client = MlflowClient(store)
    experiment = client.create_experiment("by hand", artifact_location=(folder / "by-hand").as_uri())
    return lambda: Track(uri=store, run_id=client.create_run(experiment).info.run_id)


def main() -> None:
    """Measure the three ways in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("overrides", nargs="*", help="such as strategy=ddp trainer.max_epochs=2")
    options = parser.parse_args()
    # A home with a champion would be scored against it, which the other ways have none to do.
    options.overrides.append("tracking.promotion=disabled")
    settings = compose(EXPERIMENT, options.overrides)
    with tempfile.TemporaryDirectory(prefix="overhead-up-") as up:
        opened = new_run(Path(up))

        def warm(_: Path) -> None:
            shutil.rmtree(Path(up) / "feature_sets", ignore_errors=True)
            by_franklin(Path(up), options.overrides)

        ways: dict[str, Callable[[Path], None]] = {
            "by hand": lambda folder: by_hand(settings, opened(), folder),
            "franklin, cold": lambda folder: by_franklin(folder, options.overrides),
            "franklin, servers up": warm,
        }
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        with servers(Path(up), 4271, 5071, say=lambda line: print(line, file=sys.stderr)):
            for repetition in range(options.repetitions):
                names = list(ways)
                for way in names[repetition % 3 :] + names[: repetition % 3]:
                    seconds[way].append(timed(ways[way]))
                    print(f"{way}: {seconds[way][-1]:.1f} s", file=sys.stderr)
    report("overhead", seconds, "by hand")


if __name__ == "__main__":
    main()
