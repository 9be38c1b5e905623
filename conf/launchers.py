"""What starts the ranks of a training, and what it does when one of them fails."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from conf.strict import Address, Positive, Strict


class Launcher(Strict):
    """What every choice has."""

    timeout_seconds: Positive = Field(description="an engine (Spark job, training, ...) that takes longer is ended")
    retries: Annotated[int, Field(ge=0)] = Field(
        description="times a training is launched again, from its last checkpoint, whose launcher has died"
    )
    restarts: Annotated[int, Field(ge=0)] = Field(
        description="times in a row that ranks are started again without a new checkpoint between, after one has died"
    )
    hang_seconds: Positive = Field(description="a rank that gets no further for so long has hung, which ends the run")
    wait_seconds: Positive = Field(description="for other machines to come, or executors to have room for all ranks")


class Torchrun(Launcher):
    """Processes of this machine, or of several, under PyTorch's elastic agent."""

    name: Literal["torchrun"]
    nodes: Positive = Field(description="machines that share the ranks equally")
    address: Address | None = Field(
        description="HOST:PORT at which the other machines find this one; null: one machine, and a free port"
    )

    @model_validator(mode="after")
    def _can_be_found(self) -> "Torchrun":
        if self.nodes > 1 and self.address is None:
            raise ValueError(
                f"nodes={self.nodes}: say launcher.address=HOST:PORT, an address of this machine that the others reach"
            )
        return self


class SparkLauncher(Launcher):
    """Executors of the cluster that `spark` names, a rank each, all at once (barrier mode)."""

    name: Literal["spark"]


AnyLauncher = Annotated[Torchrun | SparkLauncher, Field(discriminator="name")]
