"""What a person says of a contest between candidates: who takes part, with which means, and what decides."""

from typing import Annotated, Literal, Self, get_args

from pydantic import BeforeValidator, Field, model_validator

from conf.errors import closest
from conf.strict import Positive, Rate, Share, Size, Strict

Engine = Literal["local", "spark", "auto"]
Family = Literal["baseline", "linear", "tree", "boosting", "network", "ensemble"]
CandidateName = Literal[
    "mean",
    "median",
    "majority",
    "last_value",
    "linear_regression",
    "logistic_regression",
    "ridge",
    "lasso",
    "decision_tree",
    "random_forest",
    "gradient_boosting",
    "xgboost",
    "lightgbm",
    "mlp",
    "resnet",
    "cnn",
    "realmlp",
    "tabm",
    "ft_transformer",
    "ensemble",
]
# In order of simplicity: the ladder climbs it from the first one on.
CANDIDATES: tuple[CandidateName, ...] = get_args(CandidateName)
Value = int | float | str | bool | list[int] | None
Values = dict[str, Value]


def _known(name: object) -> object:
    if name not in CANDIDATES:
        guess = closest(str(name), CANDIDATES)
        hint = f"did you mean '{guess}'? " if guess else ""
        raise ValueError(f"there is no candidate '{name}': {hint}known: {', '.join(CANDIDATES)}")
    return name


Known = Annotated[CandidateName, BeforeValidator(_known)]


class Costs(Strict):
    """What a wrong decision costs, in any one unit; right ones cost nothing."""

    false_positive: Rate
    false_negative: Rate


class Limits(Strict):
    """What the recommended candidate must keep; null: no limit."""

    latency_seconds: Rate | None = Field(default=None, description="of one row, at the 99th percentile")
    size: Size | None = Field(default=None, description="on disk, such as 10m")
    processor_seconds: Rate | None = Field(default=None, description="of a fit on all rows")


class Contest(Strict):
    """How candidates are compared by `franklin select`."""

    name: Literal["default"]
    candidates: list[Known] | None = Field(description="null: all that suit the data")
    engine: Engine = Field(description="local: one machine's libraries; spark: MLlib; auto: by size against memory")
    folds: Annotated[int, Field(ge=2)] = Field(description="of train and validation rows together")
    sizes: list[Share] = Field(min_length=1, description="shares of the rows at which learning curves have a point")
    budget_seconds: Positive = Field(description="for all fits together")
    trials: Annotated[int, Field(ge=0)] = Field(description="settings that are tried beside a candidate's own, at most")
    fit_seconds: Positive = Field(description="longest that one fit may take")
    memory: Size = Field(description="most that one fit may take beside the rows")
    costs: Costs | None = Field(description="of wrong decisions between two classes; null: no threshold is sought")
    limits: Limits
    blind: bool = Field(description="whether names are hidden until `franklin choose`")
    segments: list[str] = Field(description="categorical columns whose values are grouped by their rows, such as dest")
    rules: bool = Field(description="whether rules are sought between categories and the label, and item sets")

    @property
    def memory_bytes(self) -> int:
        """`memory` in bytes."""
        return size_bytes(self.memory)

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.sizes != sorted(set(self.sizes)):
            raise ValueError(f"sizes must rise: {self.sizes}")
        if self.candidates is not None and not self.candidates:
            raise ValueError("candidates names nobody; name some, or null for all")
        return self


def size_bytes(size: str) -> int:
    """A `Size` in bytes."""
    return int(size[:-1]) * {"m": 2**20, "g": 2**30}[size[-1]]
