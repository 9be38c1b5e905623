"""What Spark leaves for training: the feature set's manifest, the only thing that both sides share.

A feature set is a folder (any fsspec URL):

    manifest.json           this model; written last, so a folder without it does not exist
    train/ validation/ test/    Parquet, encoded columns (see `Manifest.arrays`) and the label
    holdout/                Parquet, the test rows once more, raw: as they came out of the joins, label included

Encoded, a numeric column `x` is one float32 `x`, standardised on train (missing: 0, the mean), plus a float32
`x__missing` (1 where it was) if train had missing values. A categorical column is one int32 code: 0 for a value
that train did not have or had too rarely, 1 for missing, `i + 2` for `vocabulary[i]`. The label is one float32
(regression: its own unit) or an int32 index into `Label.classes`.
"""

from typing import Annotated, Literal

import fsspec
from pydantic import Field, NonNegativeInt

from conf.errors import FranklinError
from conf.schema import Strict, Task

UNKNOWN, MISSING, RESERVED_CODES = 0, 1, 2
SplitName = Literal["train", "validation", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")


class Numeric(Strict):
    """Standardised: (x - mean) / scale, as float32."""

    kind: Literal["numeric"] = "numeric"
    name: str
    mean: float
    scale: Annotated[float, Field(gt=0)] = Field(description="standard deviation on train; 1 for a constant")
    indicator: bool = Field(description="whether `<name>__missing` is there")

    @property
    def encoded(self) -> list[str]:
        """Names of its columns in the feature set."""
        return [self.name, f"{self.name}__missing"] if self.indicator else [self.name]


class Categorical(Strict):
    """A code into the vocabulary of train."""

    kind: Literal["categorical"] = "categorical"
    name: str
    vocabulary: list[str] = Field(description="most frequent first; ties in alphabetical order")

    @property
    def cardinality(self) -> int:
        """Number of codes, the two reserved ones included."""
        return len(self.vocabulary) + RESERVED_CODES


Column = Annotated[Numeric | Categorical, Field(discriminator="kind")]


class Label(Strict):
    """What is to be predicted. `mean` and `scale` are those of train; for classes, `prior` is their share of train."""

    name: str
    classes: list[str] = Field(description="in order of their code; empty for regression")
    prior: list[float] = Field(description="share of each class in train; empty for regression")
    mean: float = Field(description="mean over train (regression), else 0")
    scale: Annotated[float, Field(gt=0)] = Field(description="standard deviation over train (regression), else 1")


class DataFile(Strict):
    """One Parquet file, relative to the feature set, with the rows of each of its row groups."""

    path: str
    row_groups: list[NonNegativeInt]

    @property
    def rows(self) -> int:
        """Rows of the file."""
        return sum(self.row_groups)


class Split(Strict):
    """The files of one split."""

    files: list[DataFile]

    @property
    def rows(self) -> int:
        """Rows of the split."""
        return sum(file.rows for file in self.files)


class InputFile(Strict):
    """Identity of one input, by what its file system says of it."""

    path: str
    bytes: NonNegativeInt
    version: str = Field(description="modification time or ETag")


class Manifest(Strict):
    """A feature set."""

    schema_version: Literal[1] = 1
    name: str
    task: Task
    label: Label
    columns: list[Column]
    splits: dict[SplitName, Split]
    holdout: list[DataFile]
    rows_in: NonNegativeInt
    quarantined: dict[str, int] = Field(description="reason -> rows that broke a rule")
    set_aside: dict[str, int] = Field(description="reason -> rows that are no examples, such as cancelled flights")
    inferred: dict[str, str] = Field(description="what was not said but inferred: column or `task` -> kind or task")
    example: list[dict[str, str | float | None]] = Field(description="a few raw test rows, without the label")
    inputs: list[InputFile]
    fingerprint: str = Field(description="of inputs, configuration and code; names the folder")
    created: str = Field(description="UTC, ISO 8601")

    @property
    def numeric(self) -> list[str]:
        """Encoded float32 columns, in the order of the network's input."""
        return [name for column in self.columns if isinstance(column, Numeric) for name in column.encoded]

    @property
    def categorical(self) -> list[Categorical]:
        """Categorical columns, in the order of the network's input."""
        return [column for column in self.columns if isinstance(column, Categorical)]

    @property
    def raw(self) -> dict[str, type]:
        """Raw feature columns in order, with the type in which the logged model takes them."""
        return {column.name: float if isinstance(column, Numeric) else str for column in self.columns}


def read_manifest(folder: str) -> Manifest:
    """Read a feature set's manifest.

    Raises:
        FranklinError: the folder has none, so there is no feature set.

    """
    path = f"{folder}/manifest.json"
    try:
        with fsspec.open(path, "rt", encoding="utf-8") as file:
            text: str = file.read()
    except FileNotFoundError:
        raise FranklinError(f"{folder} is no feature set: it has no manifest.json; run the prepare stage") from None
    return Manifest.model_validate_json(text)
