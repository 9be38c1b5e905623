"""The ways to part train, validation and test."""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from conf.strict import Share, Strict


class DateSplit(Strict):
    """Train before `validation_from`, validation before `test_from`, test from there on (dates inclusive)."""

    by: Literal["date"]
    column: str
    validation_from: date
    test_from: date

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.validation_from >= self.test_from:
            raise ValueError(f"validation_from ({self.validation_from}) must be before test_from ({self.test_from})")
        return self


class _Shares(Strict):
    validation: Share
    test: Share

    @model_validator(mode="after")
    def _leave_a_train_split(self) -> Self:
        if self.validation + self.test >= 1:
            raise ValueError(f"validation ({self.validation}) and test ({self.test}) leave nothing to train on")
        return self


class HashSplit(_Shares):
    """Each row goes where a hash says, of all its columns or of `key`: it stays there when rows are added."""

    by: Literal["hash"]
    key: list[str] | None = Field(default=None, description="columns that tell rows apart; null: all of them")


class GroupSplit(_Shares):
    """Rows with the same `column` go together, by its hash: no group is on two sides, and stays when rows are added."""

    by: Literal["group"]
    column: str


class StratifiedSplit(_Shares):
    """Each value of `column` has the same shares of every split, as nearly as whole rows allow."""

    by: Literal["stratified"]
    column: str | None = Field(default=None, description="null: the label")


class FoldSplit(Strict):
    """Test by hash, and the others in `folds` parts, of which number `fold` is validation and the rest train."""

    by: Literal["folds"]
    folds: Annotated[int, Field(ge=2)]
    fold: Annotated[int, Field(ge=0)]
    test: Share
    column: str | None = Field(default=None, description="rows with the same value of it go together; null: each alone")

    @model_validator(mode="after")
    def _is_there(self) -> Self:
        if self.fold >= self.folds:
            raise ValueError(f"fold ({self.fold}) must be one of 0 to {self.folds - 1}")
        return self


AnySplit = Annotated[
    DateSplit | HashSplit | GroupSplit | StratifiedSplit | FoldSplit,
    Field(discriminator="by"),
]
