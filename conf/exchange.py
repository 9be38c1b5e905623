"""Run requests and run results: one JSON file to an engine, one back, and progress on its standard output between.

An engine is a module that runs in a process of its own: `python -m ENGINE REQUEST.json`. It ends with exit status
0 and `{"result": ...}` in the request's `answer` file, or with 1 and `{"error": "one line"}` there. No answer means
that it crashed; the log has the traceback.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, Field

from conf.contests import CandidateName
from conf.data import Data
from conf.errors import FranklinError
from conf.fault import Fault
from conf.launchers import AnyLauncher
from conf.networks import AnyModel, AnyNetwork, Selected
from conf.spark import AnyCluster, AnySpark
from conf.splits import AnySplit
from conf.strategies import AnyStrategy
from conf.strict import Strict
from conf.training import Checkpointing, Feed, Optimizer, Trainer

PROGRESS_MARK = "@franklin "
ERROR_MARK = "franklin: "  # of what ends a machine that has joined, among the lines that it says
ANSWER_SECONDS = 5  # that a rank which has failed for want of another one waits for what that one says
AGENT = "FRANKLIN_AGENT"  # variable with the process of the agent that has started a rank


class Track(Strict):
    """An MLflow run that the flow opened and will close; rank 0 writes into it."""

    uri: str
    run_id: str


class Request(Strict):
    """What every request has."""

    answer: Path


class PrepareRequest(Request):
    """Make a feature set of the dataset at `folder`; days that were read once are kept in `days`."""

    data: Data
    spark: AnySpark
    folder: str
    days: str
    fingerprint: str


class PrepareResult(Strict):
    """Where the feature set is; its manifest has the rest."""

    folder: str


class LandRequest(Request):
    """Read the days of the dataset that are new or have changed, and keep them in `days`."""

    data: Data
    spark: AnySpark
    days: str


class LandResult(Strict):
    """The days that are there now."""

    days: list[date]


class Plan(Strict):
    """What a strategy is predicted to cost: bytes of the rank that needs most, bytes and operations of one step."""

    strategy: str
    world_size: int
    parameters_bytes: int
    gradients_bytes: int
    optimizer_bytes: int
    activations_bytes: int = Field(description="alive at most, beside parameters, gradients and optimizer state")
    communicated_bytes: int = Field(description="that a rank sends")
    flop: float = Field(description="floating-point operations of a rank")
    idle_share: float = Field(description="of the step, in which a rank waits by the nature of the strategy")

    @property
    def memory_bytes(self) -> int:
        """All of it."""
        return self.parameters_bytes + self.gradients_bytes + self.optimizer_bytes + self.activations_bytes


class Ranks(Strict):
    """A strategy over so many ranks."""

    strategy: AnyStrategy
    world_size: int


class PlanRequest(Request):
    """Say what each of some strategies will cost."""

    feature_set: str
    model: AnyNetwork
    trainer: Trainer
    checkpointing: Checkpointing
    batch_size: int
    candidates: list[Ranks]


class PlanResult(Strict):
    """A plan for each candidate, and how fast a device of this machine is."""

    plans: list[Plan]
    unsuited: list[str] = Field(default=[], description="candidates that do not suit the network, each with the reason")
    flop_per_second: float


class TrainRequest(Request):
    """Train a network on a feature set, or go on from the last checkpoint in `run_folder`."""

    feature_set: str
    run_folder: Path
    seed: int
    feed: Feed
    model: AnyNetwork
    optimizer: Optimizer
    trainer: Trainer
    strategy: AnyStrategy
    checkpointing: Checkpointing
    launcher: AnyLauncher
    world_size: int
    cores: int | None = Field(description="of the processor, that a rank may use; null: its share of the machine's")
    fault: Fault = Fault()
    track: Track | None


class SparkRanksRequest(Request):
    """Have executors of Spark run a training's ranks, each of which runs `module` with the training's request."""

    spark: AnyCluster = Field(discriminator="name")
    module: str
    train: TrainRequest


class TrainResult(Strict):
    """The best epoch's weights, consolidated into one file, and how training went."""

    weights: Path
    epochs: int
    best_epoch: int
    steps: int
    resumed_from_step: int
    restarts: int = Field(description="times that ranks were started again")
    validation_loss: float
    metrics: dict[str, float]
    rows_per_second: float
    plan: Plan


class FitRequest(Request):
    """Fit a selected candidate, which is no network, on the train rows of a feature set."""

    feature_set: str
    run_folder: Path
    seed: int
    model: Selected
    networks: dict[CandidateName, TrainRequest] = Field(
        default={}, description="trainings of an ensemble's networks, of which a fit sets rows, folder and answer"
    )
    cores: int


class FitResult(Strict):
    """The fitted candidate's folder, and on how many rows it was fitted."""

    weights: Path
    rows: int


class EvaluateRequest(Request):
    """Judge weights on the validation and test splits."""

    feature_set: str
    weights: Path
    model: AnyModel
    feed: Feed
    seed: int
    bootstrap: int
    run_folder: Path
    track: Track | None


class Estimate(Strict):
    """A metric with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


class EvaluateResult(Strict):
    """Metrics per split, of the model and of the trivial predictor."""

    metrics: dict[str, dict[str, Estimate]]
    baseline: dict[str, dict[str, float]]
    intervals_by: dict[str, str] = Field(description="split -> what its resamples are made of, for people")


class RegisterRequest(Request):
    """Log the model and decide about `champion`."""

    feature_set: str
    weights: Path
    model: AnyModel
    name: str
    split: AnySplit
    promotion: Literal["enabled", "dry_run", "disabled"]
    seed: int
    bootstrap: int
    run_folder: Path
    track: Track


class RegisterResult(Strict):
    """The new version and what became of it."""

    model_uri: str
    version: int
    alias: Literal["challenger", "champion"]
    decision: str


Q = TypeVar("Q", bound=Request)


def progress(done: int, total: int, unit: str, note: str = "") -> None:
    """Tell whoever watches how far this engine is, in whole `unit`s; does nothing outside a flow.

    That nobody watches any more is no reason to end: a cancelled rank in an executor has a checkpoint to leave.
    """
    event = {"done": done, "total": total, "unit": unit, "note": note}
    if "FRANKLIN_PROGRESS" in os.environ:
        try:
            sys.stdout.write(PROGRESS_MARK + json.dumps(event) + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            _fall_silent()


def _fall_silent() -> None:
    """Print nowhere from here on; nor to standard error, if that goes the same way."""
    streams = [1, 2] if os.path.sameopenfile(1, 2) else [1]
    with Path(os.devnull).open("wb") as nothing:
        for stream in streams:
            os.dup2(nothing.fileno(), stream)


def serve(kind: type[Q], work: Callable[[Q], BaseModel | None]) -> None:
    """Run an engine: read the request named on the command line, do `work`, write the answer.

    Returns nothing and does not exit on success. Ranks other than 0 return None from `work` and write nothing.

    Raises:
        SystemExit: with 1 after a FranklinError, which has been written as the answer.

    """
    request = kind.model_validate_json(Path(sys.argv[1]).read_text(encoding="utf-8"))
    try:
        result = work(request)
    except FranklinError as error:
        answer(request.answer, {"error": str(error)})
        raise SystemExit(1) from None
    if result is not None:
        answer(request.answer, {"result": result.model_dump(mode="json")})


def clean_up_on_sigterm() -> None:
    """Turn SIGTERM into an exception, so that temporary folders are removed on the way out."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def answer(path: Path, content: dict[str, object]) -> None:
    """Write an answer file whole or not at all."""
    temporary = path.with_suffix(f".{os.getpid()}.{time.monotonic_ns()}")
    temporary.write_text(json.dumps(content), encoding="utf-8")
    temporary.replace(path)


def answered(path: Path) -> dict[str, Any]:
    """What an answer file says; nothing, if there is none yet."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return content
