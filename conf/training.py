"""How a network learns: what it is fed, how its weights change, and for how long."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from conf.contests import size_bytes
from conf.strict import Function, Positive, Rate, Share, Size, Strict

Checkpointing = Literal["none", "sqrt", "every", "selective"]


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


def check_dealt_late(feed: Feed, what: str) -> None:
    """See that ranks can be dealt rows while they train.

    Raises:
        ValueError: they cannot.

    """
    if feed.layout == "stored":
        raise ValueError(f"{what} needs all rows at hand, which feed.layout=stored has not; say feed.layout=mapped")
    if feed.transform and feed.workers:
        raise ValueError(f"{what} deals rows late, and feed.workers={feed.workers} read ahead; say feed.workers=0")
