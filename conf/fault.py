"""Faults on purpose, to see what becomes of a training."""

from typing import Annotated

from pydantic import Field, model_validator

from conf.errors import FranklinError
from conf.strict import Strict


class Fault(Strict):
    """A rank that is slow."""

    slow_rank: Annotated[int, Field(ge=0)] | None = Field(default=None, description="which rank is slow; null: none")
    slow_factor: Annotated[float, Field(ge=1, allow_inf_nan=False)] | None = Field(
        default=None, description="times as long as its own work takes that rank"
    )

    @model_validator(mode="after")
    def _both_or_none(self) -> "Fault":
        if (self.slow_rank is None) != (self.slow_factor is None):
            has, lacks = ("slow_rank", "slow_factor") if self.slow_factor is None else ("slow_factor", "slow_rank")
            raise ValueError(f"{has}={getattr(self, has):g} alone slows nothing; say fault.{lacks} as well")
        return self

    def check(self, ranks: int) -> None:
        """See that the slow rank is one of so many.

        Raises:
            FranklinError: it is not.

        """
        if self.slow_rank is not None and self.slow_rank >= ranks:
            last = f"the last one is {ranks - 1}" if ranks > 1 else "there is only 0"
            raise FranklinError(f"fault.slow_rank={self.slow_rank}: of {ranks} rank{'s' * (ranks > 1)}, {last}")
