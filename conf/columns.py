"""Fitted encodings: how each raw column became numbers, with all that is needed to do it again without Spark.

`encoded` names the columns of the feature set that come of it. Those of the first group are float32 numbers; a column
with `indicator` has one more, `<name>__missing`, 1 where the value was missing, if train had missing values.
"""

from math import prod
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt

from conf.strict import Positive, Strict

UNKNOWN, MISSING, RARE, RESERVED_CODES = 0, 1, 2, 3
OTHER = "\ufffd"  # stands for every character that is rare in train or not there
SECONDS: dict[str, float] = {"day": 86_400.0, "week": 604_800.0, "year": 31_556_952.0}


class _Numbers(Strict):
    name: str
    indicator: bool = Field(description="whether `<name>__missing` is there")

    @property
    def values(self) -> list[str]:
        """Encoded columns without the indicator."""
        return [self.name]

    @property
    def encoded(self) -> list[str]:
        """Names of its columns in the feature set."""
        return [*self.values, f"{self.name}__missing"] if self.indicator else self.values


class Numeric(_Numbers):
    """Standardised: (x - mean) / scale; missing: 0, the mean."""

    kind: Literal["numeric"] = "numeric"
    mean: float
    scale: Annotated[float, Field(gt=0)] = Field(description="standard deviation on train; 1 for a constant")


class Quantile(_Numbers):
    """A number's share of train, by straight lines between `points`, as (share - 1/2) * sqrt(12); missing: 0.

    So train is uniform with mean 0 and deviation 1; beyond the first and the last point it is as there.
    """

    kind: Literal["quantile"] = "quantile"
    points: list[float] = Field(min_length=1, description="strictly rising values of train")
    shares: list[float] = Field(min_length=1, description="share of train below each, half of those equal included")


class Cyclic(_Numbers):
    """Sine and cosine of 2 pi x / period for each period; missing: 0 and 0, the middle of the circle.

    A time counts as seconds since 1970 (UTC), a number as it is.
    """

    kind: Literal["cyclic"] = "cyclic"
    of: Literal["number", "time"]
    periods: dict[str, float] = Field(min_length=1, description="name -> period")

    @property
    def values(self) -> list[str]:
        """Encoded columns without the indicator."""
        return [f"{self.name}__{name}_{part}" for name in self.periods for part in ("sin", "cos")]


class Target(_Numbers):
    """The mean label of the rows of train with that value, smoothed, in deviations from the mean of all train rows.

    (sum + smoothing * prior) / (rows + smoothing), less the prior, over the label's deviation on train; one number, or
    one for each class. A missing value counts as a value; one that is not listed is 0, the mean. Train rows themselves
    have the means of other folds of train, not their own (Micci-Barreca 2001; out of fold as in Prokhorenkova et al.
    2018, section 3.2).
    """

    kind: Literal["target"] = "target"
    indicator: Literal[False] = False
    vocabulary: list[str] = Field(description="most frequent first; ties in alphabetical order")
    means: list[list[float]] = Field(description="for each value, its encoded numbers")
    missing: list[float] = Field(description="encoded numbers of a missing value")

    @property
    def values(self) -> list[str]:
        """Encoded columns."""
        several = len(self.missing) > 1
        return [f"{self.name}__{i}" for i in range(len(self.missing))] if several else [self.name]


class _Whole(Strict):
    name: str

    @property
    def encoded(self) -> list[str]:
        """Name of its one column in the feature set."""
        return [self.name]


class Categorical(_Whole):
    """A code into the vocabulary of train, int32.

    0: train did not have the value; 1: missing; 2: rare in train; `i + 3`: `vocabulary[i]`. If train had more rare
    values than the manifest keeps (`rare` is null), every value outside the vocabulary is rare.
    """

    kind: Literal["categorical"] = "categorical"
    vocabulary: list[str] = Field(description="most frequent first; ties in alphabetical order")
    rare: list[str] | None = Field(default=[], description="in alphabetical order; null: too many to keep")

    @property
    def cardinality(self) -> int:
        """Number of codes, the reserved ones included."""
        return len(self.vocabulary) + RESERVED_CODES


class Hashed(_Whole):
    """1 for missing, else CRC-32 of the value's UTF-8 bytes modulo `buckets`, plus 3 (Weinberger et al. 2009)."""

    kind: Literal["hashed"] = "hashed"
    buckets: Positive

    @property
    def cardinality(self) -> int:
        """Number of codes, the reserved ones included."""
        return self.buckets + RESERVED_CODES


class TensorColumn(_Whole):
    """An image, a sequence or a volume, stored as it is; (x - mean) / scale when it becomes a batch, unless int32.

    In Parquet it is a list of float, int16 (uint8, which Spark lacks) or int32, or what NumPy's `save` writes.
    """

    kind: Literal["tensor"] = "tensor"
    shape: list[Positive]
    dtype: Literal["float32", "uint8", "int32"]
    codec: Literal["list", "ndarray"]
    pad: bool = Field(description="whether shorter ones are filled up with zeros at their end")
    mean: float
    scale: Annotated[float, Field(gt=0)]
    tokens: NonNegativeInt = Field(description="int32: largest value on train plus one, else 0")
    vocabulary: list[str] = Field(
        default=[],
        description="of a text: its characters, whose tokens are their places from 1 on; any other is OTHER, token 0",
    )

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return prod(self.shape)


NumberColumn = Numeric | Quantile | Cyclic | Target
CodeColumn = Categorical | Hashed
Column = Annotated[
    Numeric | Quantile | Cyclic | Target | Categorical | Hashed | TensorColumn, Field(discriminator="kind")
]
