"""The kinds of parallelism, each with what it can be told."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from conf.strict import Positive, Strict

StrategyName = Literal["single", "ddp", "fsdp", "auto"]


class Single(Strict):
    """One rank on one device."""

    name: Literal["single"]
    world_size: Positive | None = Field(description="one rank; null is the same")

    @field_validator("world_size")
    @classmethod
    def _is_one(cls, ranks: int | None) -> int | None:
        if ranks not in (None, 1):
            raise ValueError(f"strategy=single has one rank, not {ranks}; choose strategy=ddp or fsdp")
        return ranks


class Parallel(Strict):
    """Several ranks."""

    world_size: Positive | None = Field(description="ranks; null: every GPU, or two processes without one")


class Ddp(Parallel):
    """Replicas of the network; gradients are averaged while the backward pass runs."""

    name: Literal["ddp"]
    bucket_mb: Positive = Field(description="megabytes of gradients that are averaged in one message")


class Fsdp(Parallel):
    """Parameters, gradients and optimizer state in shards (FSDP2)."""

    name: Literal["fsdp"]
    replicas: Positive = Field(description="groups of ranks that each hold the whole network; over 1: hybrid sharding")
    offload: bool = Field(description="whether shards wait in the processor's memory for their use on a GPU")


class Auto(Parallel):
    """The quickest of some strategies, by their plans, that fits into the memory given."""

    name: Literal["auto"]
    memory: Annotated[str, Field(pattern=r"^[1-9]\d*[mg]$", description="of a rank, such as 4g")]
    candidates: list[Literal["single", "ddp", "fsdp"]] = Field(min_length=1)
    gigabytes_per_second: Annotated[float, Field(gt=0, description="that a rank can send to others")]

    @property
    def memory_bytes(self) -> int:
        """`memory` in bytes."""
        return int(self.memory[:-1]) * {"m": 2**20, "g": 2**30}[self.memory[-1]]


AnyStrategy = Annotated[Single | Ddp | Fsdp | Auto, Field(discriminator="name")]
