"""What Spark leaves for training: the feature set's manifest, the only thing that both sides share.

A feature set is a folder (any fsspec URL):

    manifest.json           this model; written last, so a folder without it does not exist
    train/ validation/ test/    Parquet, encoded columns and the label
    holdout/                Parquet, the test rows once more, raw: as they came out of the joins, label included
    quarantine/             Parquet, the rows that broke a rule, as they came, each with its reason
    profile.json, profile.html      what the columns look like (`conf.profile`)

What each column has become is in its entry of `Manifest.columns` (`conf.columns`). The label is one float32
(regression: its own unit) or an int32 index into `Label.classes`. Of a sequence, it is the one column that there is: at
each place but the last, the token that follows. Beside them, the files of a split may have the int32 column `WHERE`,
which is no feature: it says to which day or group a row belongs (`Manifest.where`).
"""

from datetime import date
from typing import Annotated, Literal

import fsspec
from pydantic import Field, NonNegativeInt

from conf.columns import CodeColumn, Column, Cyclic, NumberColumn, Numeric, Quantile, TensorColumn
from conf.data import Task
from conf.errors import FranklinError
from conf.strict import Strict

SplitName = Literal["train", "validation", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")
WHERE = "__where"


class Label(Strict):
    """What is to be predicted. `mean` and `scale` are those of train; for classes, `prior` is their share of train.

    Of a sequence, the classes are those of each place: OTHER, then the characters.
    """

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
    """Identity of one input, by what its file system says of it, or else by a person's word or the run's."""

    path: str = Field(description="of a database with ` table NAME` behind it")
    bytes: NonNegativeInt | None = Field(description="null: nobody told")
    version: str = Field(description="modification time, ETag, `data.version`, or which run has read it")


class Manifest(Strict):
    """A feature set."""

    schema_version: Literal[3] = 3
    name: str
    task: Task
    label: Label
    columns: list[Column]
    splits: dict[SplitName, Split]
    holdout: list[DataFile]
    where: Literal["day", "group"] | None = Field(
        default=None, description="what the column __where counts: days since 1970, or groups; null: it is not there"
    )
    rows_in: NonNegativeInt
    quarantined: dict[str, int] = Field(description="reason -> rows that broke a rule")
    set_aside: dict[str, int] = Field(description="reason -> rows that are no examples, such as cancelled flights")
    inferred: dict[str, str] = Field(description="what was not said but inferred: column or `task` -> kind or task")
    example: list[dict[str, str | float | list[float] | None]] = Field(
        description="a few raw test rows, without the label"
    )
    inputs: list[InputFile]
    newest: date | None = Field(default=None, description="newest date of the column that `checks.freshness` names")
    fingerprint: str = Field(description="of inputs, configuration and code; names the folder")
    created: str = Field(description="UTC, ISO 8601")

    @property
    def numeric(self) -> list[str]:
        """Encoded float32 columns, in the order of the network's input."""
        return [name for column in self.columns if isinstance(column, NumberColumn) for name in column.encoded]

    @property
    def categorical(self) -> list[CodeColumn]:
        """Columns of codes, in the order of the network's input."""
        return [column for column in self.columns if isinstance(column, CodeColumn)]

    @property
    def tensors(self) -> list[TensorColumn]:
        """Tensor columns, in the order of the network's input."""
        return [column for column in self.columns if isinstance(column, TensorColumn)]

    @property
    def raw(self) -> dict[str, type]:
        """Raw feature columns in order, with the type in which the logged model takes them (list: an array)."""
        return {column.name: raw_type(column) for column in self.columns}


def raw_type(column: Column) -> type:
    """Type of a raw value: float, str (of words, times and texts) or list."""
    if isinstance(column, TensorColumn):
        return str if column.vocabulary else list
    if isinstance(column, Numeric | Quantile) or (isinstance(column, Cyclic) and column.of == "number"):
        return float
    return str


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
