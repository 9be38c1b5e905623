"""The one strict tree that every composed configuration has to fit."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from conf.contests import Contest
from conf.data import Data
from conf.fault import Fault
from conf.launchers import AnyLauncher
from conf.networks import AnyModel, check_columns
from conf.spark import AnySpark, Cluster
from conf.strategies import AnyStrategy, Async, Ddp, LocalSgd
from conf.strict import Name, Positive, Strict
from conf.training import Checkpointing, Feed, Optimizer, Trainer, check_dealt_late

TunerName = Literal["none", "grid", "random", "tpe"]


class Range(Strict):
    """An interval to search, on a logarithmic scale if `log`; `steps` points of it for the grid."""

    low: float
    high: float
    log: bool = False
    steps: Positive = 3

    @model_validator(mode="after")
    def _in_order(self) -> "Range":
        if self.low >= self.high:
            raise ValueError(f"low ({self.low}) must be below high ({self.high})")
        if self.log and self.low <= 0:
            raise ValueError(f"low ({self.low}) must be positive on a logarithmic scale")
        return self


class Choices(Strict):
    """Values to choose from."""

    choices: list[int | float | str | list[int]] = Field(min_length=1)


class Tuner(Strict):
    """The search over configurations before the real training."""

    name: TunerName
    trials: Positive = Field(description="at most this many trials (the grid may have fewer)")
    max_epochs: Positive = Field(description="epochs of one trial")
    space: dict[str, Range | Choices] = Field(description="configuration key -> what it may be")


class Tracking(Strict):
    """Where MLflow keeps runs and models."""

    uri: str | None = Field(description="tracking server or database; null: a SQLite file in franklin's home")
    promotion: Literal["enabled", "dry_run", "disabled"]
    bootstrap: Positive = Field(description="resamples behind each confidence interval")


class Settings(Strict):
    """A whole run, as composed from `conf/`, an experiment and overrides."""

    experiment: Name
    home: Path = Field(description="folder of feature sets, run folders, logs and the local MLflow store")
    seed: Annotated[int, Field(ge=0)]
    resume: Path | None = Field(
        description="folder of an earlier run, whose training this one goes on with; null: none"
    )
    data: Data
    spark: AnySpark
    feed: Feed
    model: AnyModel
    optimizer: Optimizer
    trainer: Trainer
    strategy: AnyStrategy
    checkpointing: Checkpointing = Field(description="which blocks' activations are recomputed instead of kept")
    fault: Fault = Field(description="what goes wrong on purpose")
    launcher: AnyLauncher
    tuner: Tuner
    contest: Contest
    tracking: Tracking

    def feature_set(self, fingerprint: str) -> Path:
        """Where the feature set of a fingerprint is."""
        return self.home / "feature_sets" / f"{self.data.name}-{fingerprint[:12]}"

    @model_validator(mode="after")
    def _strategy_suits_the_rest(self) -> "Settings":
        if isinstance(self.strategy, Ddp) and self.strategy.balance == "dynamic":
            check_dealt_late(self.feed, "strategy.balance=dynamic")
        if isinstance(self.strategy, Async):
            check_dealt_late(self.feed, "strategy=async")
        if isinstance(self.strategy, LocalSgd | Async) and self.trainer.average:
            raise ValueError(
                f"strategy={self.strategy.name} has no weights after each step that all ranks share, to be averaged; "
                "say trainer.average=null"
            )
        if isinstance(self.strategy, Async) and self.trainer.accumulate > 1:
            raise ValueError("strategy=async takes the gradients of each batch alone; say trainer.accumulate=1")
        return self

    @model_validator(mode="after")
    def _ranks_have_executors(self) -> "Settings":
        if self.launcher.name == "spark" and not isinstance(self.spark, Cluster):
            raise ValueError(
                f"launcher=spark puts ranks into Spark's executors, and spark={self.spark.name} has none for them; "
                "choose spark=standalone, yarn or k8s, or launcher=torchrun"
            )
        return self

    @model_validator(mode="after")
    def _network_suits_the_data(self) -> "Settings":
        check_columns(self.model, self.data)
        return self
