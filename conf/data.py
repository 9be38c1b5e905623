"""The dataset as a person describes it: what comes in, what becomes of each column, how rows are checked and split."""

import re
from datetime import date
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from conf.checks import Checks
from conf.kinds import Kind, TextKind
from conf.places import Join, Place
from conf.splits import AnySplit
from conf.strict import Name, Positive

Task = Literal["binary", "multiclass", "regression", "sequence"]
WINDOW = re.compile(r"(\d{4}-\d\d-\d\d)\.\.(\d{4}-\d\d-\d\d)|([1-9]\d*)d")


class Data(Place):
    """The dataset: what comes in, which column is the label, what becomes of each column, how rows are split."""

    name: Name
    source: Literal["flights", "digits", "text", "table"]
    joins: list[Join] = Field(default=[], description="further tables, one after the other")
    label: str
    task: Task | None = Field(description="null: inferred from the label column")
    columns: dict[str, Kind] = Field(
        description="kinds said by hand (`numeric`, or `{kind: numeric, scaling: quantile}`); others are inferred"
    )
    ignore: list[str] = Field(description="columns that are no features")
    rare_below: Positive = Field(description="values seen in fewer train rows than this share one code")
    vocabulary_most: Positive = Field(
        default=100_000, description="values of a categorical column that get a code of their own, the most frequent"
    )
    checks: Checks = Checks()
    split: AnySplit
    day: str | None = Field(
        default=None,
        description="column of dates; where folders are named by it, a day is read anew only when its files change",
    )
    window: str | None = Field(
        default=None, description="days to take, by `day`: 2013-01-01..2013-06-30 (inclusive), or 90d, the newest"
    )

    @field_validator("window")
    @classmethod
    def _is_a_window(cls, window: str | None) -> str | None:
        if window is None:
            return None
        found = WINDOW.fullmatch(window)
        if found is None:
            raise ValueError("write 2013-01-01..2013-06-30, or 90d for the newest ninety days")
        if found[1] and date.fromisoformat(found[1]) > date.fromisoformat(found[2]):
            raise ValueError("its first day must not be after its last")
        return window

    @property
    def places(self) -> list[Place]:
        """Where everything comes from: the first table, then those that are joined."""
        return [self, *self.joins]

    @field_validator("joins")
    @classmethod
    def _have_own_names(cls, joins: list[Join]) -> list[Join]:
        names = [join.name for join in joins]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two are named '{repeated[0]}'; give each its own name")
        return joins

    @model_validator(mode="after")
    def _only_tables_are_of_any_kind(self) -> Self:
        if self.source != "table" and (self.joins or self.format or self.of_database):
            raise ValueError(f"source={self.source} knows what its files are: joins and formats are for source=table")
        if self.source in ("digits", "text") and (self.day or self.window or self.options):
            raise ValueError(f"source={self.source} knows no days: day, window and options are for other sources")
        return self

    @model_validator(mode="after")
    def _a_sequence_is_a_text(self) -> Self:
        if (self.task == "sequence") != (self.source == "text"):
            raise ValueError(f"task={self.task} with source={self.source}: task=sequence and source=text go together")
        texts = [name for name, kind in self.columns.items() if isinstance(kind, TextKind)]
        if texts != ([self.label] if self.task == "sequence" else []):
            raise ValueError("a column of kind text is the label of task=sequence: {kind: text, length: 128}")
        return self

    @model_validator(mode="after")
    def _window_has_days(self) -> Self:
        if self.window and not self.day:
            raise ValueError("window needs `day`, the column whose days it is about")
        return self
