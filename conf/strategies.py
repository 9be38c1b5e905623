"""The kinds of parallelism, each with what it can be told."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from conf.strict import Positive, Rate, Size, Strict

StrategyName = Literal["single", "ddp", "fsdp", "tensor", "pipeline", "local_sgd", "async", "auto"]


class Single(Strict):
    """One rank on one device."""

    name: Literal["single"]
    world_size: Positive | None = Field(description="one rank; null is the same")

    @field_validator("world_size")
    @classmethod
    def _is_one(cls, ranks: int | None) -> int | None:
        if ranks not in (None, 1):
            raise ValueError(f"strategy=single has one rank, not {ranks}; choose another strategy, such as ddp")
        return ranks


class Parallel(Strict):
    """Several ranks."""

    world_size: Positive | None = Field(description="ranks; null: every GPU, or two processes without one")


class Ddp(Parallel):
    """Replicas of the network; gradients are averaged while the backward pass runs."""

    name: Literal["ddp"]
    bucket_mb: Positive = Field(description="megabytes of gradients that are averaged in one message")
    balance: Literal["even", "dynamic"] = Field(
        description="rows of a step: even, the same number for each rank; dynamic, fewer for a rank that is slow"
    )


class Fsdp(Parallel):
    """Parameters, gradients and optimizer state in shards (FSDP2)."""

    name: Literal["fsdp"]
    replicas: Positive = Field(description="groups of ranks that each hold the whole network; over 1: hybrid sharding")
    offload: bool = Field(description="whether shards wait in the processor's memory for their use on a GPU")


class Tensor(Parallel):
    """Layers split over a few ranks each; over all others, shards as those of `fsdp`, with rows of their own."""

    name: Literal["tensor"]
    tensor_size: Positive = Field(description="ranks that split one layer and see the same rows")


class Pipeline(Parallel):
    """Consecutive blocks on different ranks, through which a batch goes in parts."""

    name: Literal["pipeline"]
    schedule: Literal["gpipe", "1f1b", "interleaved"] = Field(
        description="gpipe: all forward, then all backward; 1f1b: in turns, which keeps fewer activations; "
        "interleaved: in turns over several stages of each rank, which idles less and sends more"
    )
    microbatches: Positive | None = Field(description="parts of a batch; null: four per rank")
    stages_per_rank: Positive | None = Field(description="null: two if interleaved, else one")

    @model_validator(mode="after")
    def _one_stage_unless_interleaved(self) -> "Pipeline":
        if self.schedule != "interleaved" and self.stages_per_rank not in (None, 1):
            raise ValueError(
                f"schedule={self.schedule} has one stage per rank, not {self.stages_per_rank}; "
                "choose strategy.schedule=interleaved"
            )
        return self

    def parts(self, ranks: int) -> int:
        """Parts of a batch; with four per rank, idling is small against work (Huang et al. 2019, section 2.3)."""
        return self.microbatches or 4 * ranks

    def stages(self, ranks: int) -> int:
        """Stages of all ranks."""
        return ranks * (self.stages_per_rank or (2 if self.schedule == "interleaved" else 1))


class LocalSgd(Parallel):
    """Ranks step alone; every few steps their changes are averaged, and taken by an outer optimizer (DiLoCo)."""

    name: Literal["local_sgd"]
    every: Positive = Field(description="steps from one exchange to the next")
    outer_learning_rate: Annotated[Rate, Field(description="share of the average change that is taken")]
    outer_momentum: Annotated[float, Field(ge=0, lt=1, description="of the changes taken, as Nesterov has it")]


class Async(Parallel):
    """No barrier: rank 0 keeps the weights and takes gradients as they arrive; batches go to whichever rank is free."""

    name: Literal["async"]
    max_staleness: Positive = Field(
        description="updates that gradients may be late; ranks wait while they would make others' later"
    )


class Auto(Parallel):
    """The quickest of some strategies, by their plans, that fits into the memory given.

    Only those can be chosen that end where one process does, so neither `local_sgd` nor `async`.
    """

    name: Literal["auto"]
    memory: Annotated[Size, Field(description="of a rank, such as 4g")]
    candidates: list[Literal["single", "ddp", "fsdp", "tensor", "pipeline"]] = Field(min_length=1)
    gigabytes_per_second: Annotated[Rate, Field(description="that a rank can send to others")]

    @property
    def memory_bytes(self) -> int:
        """`memory` in bytes."""
        return int(self.memory[:-1]) * {"m": 2**20, "g": 2**30}[self.memory[-1]]


AnyStrategy = Annotated[Single | Ddp | Fsdp | Tensor | Pipeline | LocalSgd | Async | Auto, Field(discriminator="name")]
