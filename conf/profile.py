"""What the columns of a feature set look like, split by split: `profile.json`, beside the manifest.

Features and label as they came out of the joins, before they were encoded. Counts, extremes and moments are of all
rows; quantiles and histograms are of `Profile.sampled` of them, the same ones in every run. All splits have the bins of
train, so that they can be held against each other, and rows of another day against train.
"""

from typing import Annotated, Literal

import fsspec
from pydantic import Field, NonNegativeInt

from conf.errors import FranklinError
from conf.manifest import SplitName
from conf.strict import Positive, Strict

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


class Tensors(Strict):
    """A column of arrays in one split."""

    missing: NonNegativeInt = Field(description="rows without a value")


class Numbers(Tensors):
    """A column of numbers, or of times in seconds since 1970 (UTC), in one split. Null and empty if none is there."""

    distinct: NonNegativeInt = Field(description="exact if all rows were sampled, else by a sketch, within about 3 %")
    low: float | None
    high: float | None
    mean: float | None
    deviation: float | None = Field(description="standard deviation, of the population")
    quantiles: list[float] = Field(description="at `QUANTILES`, of sampled rows")
    histogram: list[NonNegativeInt] = Field(description="sampled rows in each bin of `NumberProfile.edges`")


class Words(Tensors):
    """A column of words in one split; all of it is exact."""

    distinct: NonNegativeInt
    counts: list[NonNegativeInt] = Field(description="rows of each of `WordProfile.values`")


class NumberProfile(Strict):
    """Bin number i has `edges[i - 1] <= x < edges[i]`; the first and the last one have no outer edge."""

    kind: Literal["numeric", "time"]
    edges: list[float] = Field(description="rising, one fewer than bins")
    each: bool = Field(description="whether every sampled value of train has a bin of its own, which begins with it")
    splits: dict[SplitName, Numbers]


class WordProfile(Strict):
    """Words, or classes."""

    kind: Literal["categorical"] = "categorical"
    values: list[str] = Field(description="the most frequent ones of any split, in the order of train")
    splits: dict[SplitName, Words]


class TensorProfile(Strict):
    """Images, sequences, volumes."""

    kind: Literal["tensor"] = "tensor"
    splits: dict[SplitName, Tensors]


ColumnProfile = Annotated[NumberProfile | WordProfile | TensorProfile, Field(discriminator="kind")]


class Profile(Strict):
    """All columns, the label last."""

    schema_version: Literal[1] = 1
    rows: dict[SplitName, Positive]
    sampled: dict[SplitName, NonNegativeInt] = Field(description="rows that quantiles and histograms are of")
    columns: dict[str, ColumnProfile]


def read_profile(folder: str) -> Profile:
    """Read a feature set's profile.

    Raises:
        FranklinError: The folder has none.

    """
    path = f"{folder}/profile.json"
    try:
        with fsspec.open(path, "rt", encoding="utf-8") as file:
            text: str = file.read()
    except FileNotFoundError:
        raise FranklinError(f"{folder} has no profile.json; run the prepare stage") from None
    return Profile.model_validate_json(text)
