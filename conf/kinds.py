"""What a person may say of a column: its kind, and how it is encoded. `airline: categorical` says the kind alone."""

from math import prod
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from conf.strict import Positive, Strict

Cycle = Literal["day", "week", "year"]


class NumericKind(Strict):
    """A number. `standard`: mean 0, deviation 1; `quantile`: its share of train, for heavy tails (uniform, centred)."""

    kind: Literal["numeric"] = "numeric"
    scaling: Literal["standard", "quantile"] = "standard"


class CategoricalKind(Strict):
    """One of several words.

    `vocabulary`: a code each, rare ones share one; `hash`: the code is a hash, for tails too long to list; `target`:
    the mean label of the word, of other rows than the row's own.
    """

    kind: Literal["categorical"] = "categorical"
    encoding: Literal["vocabulary", "hash", "target"] = "vocabulary"
    buckets: Positive = Field(default=1024, description="codes of `hash`")
    smoothing: Annotated[float, Field(ge=0)] = Field(
        default=20, description="rows that the mean of all train rows counts for in `target`"
    )


class CyclicKind(Strict):
    """A number that comes round, such as an hour or a bearing: its sine and cosine."""

    kind: Literal["cyclic"] = "cyclic"
    period: Annotated[float, Field(gt=0)] = Field(description="after which it starts again, such as 24 for hours")


class TimeKind(Strict):
    """A date or a time: where it is in each cycle (UTC), as sine and cosine."""

    kind: Literal["time"] = "time"
    cycles: list[Cycle] = Field(default=["day", "week", "year"], min_length=1)


class TensorKind(Strict):
    """An image, a sequence or a volume: arrays (nested or flat) with as many numbers as `shape` has.

    float32 and uint8 become standardised numbers; int32 are tokens, whole numbers from 0 for a network to look up.
    """

    kind: Literal["tensor"] = "tensor"
    shape: list[Positive] = Field(min_length=1, description="such as [1, 8, 8] for a grey image")
    dtype: Literal["float32", "uint8", "int32"] = Field(default="float32", description="uint8 takes a quarter")
    codec: Literal["list", "ndarray"] = Field(
        default="list", description="in Parquet: a list of numbers, or NumPy's bytes by Petastorm's codec"
    )
    pad: bool = Field(default=False, description="whether shorter sequences are filled up with zeros at their end")

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return prod(self.shape)


class TextKind(Strict):
    """A text of `length` characters and one more, as tokens: at each place, a network says which character follows."""

    kind: Literal["text"] = "text"
    length: Positive = Field(description="places of a row, at each of which the next character is asked for")


def _named(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


Kind = Annotated[
    Annotated[
        NumericKind | CategoricalKind | CyclicKind | TimeKind | TensorKind | TextKind, Field(discriminator="kind")
    ],
    BeforeValidator(_named, json_schema_input_type=Any),
]
