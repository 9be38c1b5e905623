"""The one strict tree that every composed configuration has to fit."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from conf.contests import Contest, size_bytes
from conf.data import Data
from conf.fault import Fault
from conf.launchers import AnyLauncher
from conf.networks import AnyModel, check_columns
from conf.spark import AnySpark, Cluster
from conf.strategies import AnyStrategy, Async, Ddp, LocalSgd
from conf.strict import Function, Name, Positive, Rate, Share, Size, Strict

Checkpointing = Literal["none", "sqrt", "every", "selective"]
TunerName = Literal["none", "grid", "random", "tpe"]


class Feed(Strict):
    """How the feature set becomes batches."""

    name: Literal["arrow", "petastorm"]
    batch_size: Positive = Field(description="rows of one step over all ranks together")
    layout: Literal["mapped", "stored"] = Field(
        description="mapped: decoded once, into a file that epochs map into memory; stored: decoded in every epoch"
    )
    memory: Annotated[Size, Field(description="that a rank's rows take, such as 256m")]
    cache: Path | None = Field(description="local folder for mapped files; null: in the feature set, if that is local")
    transform: Function | None = Field(
        default=None,
        description="`module:function` that changes each train batch (what all rows need is encoding); null: none",
    )
    workers: Annotated[int, Field(ge=0)] = Field(default=0, description="processes of a rank that run the transform")

    @property
    def memory_bytes(self) -> int:
        """`memory` in bytes."""
        return size_bytes(self.memory)


class Optimizer(Strict):
    """AdamW with linear warm-up, then a schedule of its learning rate."""

    name: Literal["adamw"]
    learning_rate: Rate
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    warmup_share: Annotated[float, Field(ge=0, lt=1, description="share of all steps with a rising rate")]
    schedule: Literal["cosine", "coslog4"] = Field(
        default="cosine", description="cosine: falls to 0; coslog4: four times up and down again, each longer"
    )
    betas: list[Annotated[float, Field(ge=0, lt=1)]] = Field(
        default=[0.9, 0.999], min_length=2, max_length=2, description="decay of the gradients' first and second moment"
    )
    decay_schedule: Literal["constant", "flat_cos"] = Field(
        default="constant", description="flat_cos: in the second half of the steps the weight decay falls to 0"
    )
    decays: Literal["all", "matrices"] = Field(
        default="all", description="what decays; matrices: weights of linear layers and embeddings alone"
    )


class Trainer(Strict):
    """How long to train, and when to stop."""

    max_epochs: Positive
    patience: Positive = Field(description="epochs without a better validation loss before training stops")
    precision: Literal["32-true", "bf16-mixed"]
    gradient_clip: Rate | None
    accumulate: Positive = Field(description="batches whose gradients add up to one step")
    average: Share | None = Field(description="decay of an exponential moving average of the weights; null: none")
    compile: bool = Field(description="whether torch.compile makes code of the blocks; needs a C++ compiler")
    checkpoint_steps: Positive | None = Field(description="also checkpoint every so many steps; null: each epoch only")
    keep_checkpoints: Positive = Field(description="the last few are kept, and the best")
    accelerator: Literal["auto", "gpu"] = Field(description="auto: GPUs if there are any; gpu: nothing without one")


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


def check_dealt_late(feed: Feed, what: str) -> None:
    """See that ranks can be dealt rows while they train.

    Raises:
        ValueError: they cannot.

    """
    if feed.layout == "stored":
        raise ValueError(f"{what} needs all rows at hand, which feed.layout=stored has not; say feed.layout=mapped")
    if feed.transform and feed.workers:
        raise ValueError(f"{what} deals rows late, and feed.workers={feed.workers} read ahead; say feed.workers=0")


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
