"""Rules that a dataset has to keep. A row that breaks one is quarantined; a broken rule of the whole stops the job."""

import re
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from conf.strict import Positive, Strict

Bound = float | date


class Rule(Strict):
    """What each value of a column must be; a missing one breaks `not_null` alone."""

    type: Literal["number", "integer", "date", "time", "boolean"] | None = None
    least: Bound | None = Field(default=None, description="smallest number, or first date")
    most: Bound | None = Field(default=None, description="largest number, or last date")
    not_null: bool = False
    allowed: list[str | float] | None = Field(default=None, min_length=1)
    matches: str | None = Field(default=None, description="a regular expression that the whole value has to match")

    @field_validator("matches")
    @classmethod
    def _is_a_pattern(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"'{pattern}' is no regular expression: {error}") from None
        return pattern

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        low, high = self.least, self.most
        if low is not None and high is not None and (isinstance(low, date) != isinstance(high, date) or low > high):  # type: ignore[operator]  # of one type here
            raise ValueError(f"least ({low}) and most ({high}) must be two numbers or two dates, in this order")
        return self


class Freshness(Strict):
    """The newest date of `column` is at most `days` before today (UTC)."""

    column: str
    days: Positive


class Checks(Strict):
    """All rules of a dataset."""

    columns: dict[str, Rule] = Field(default={}, description="column -> rule")
    unique: list[list[str]] = Field(
        default=[], description="keys, each of one column or several; of rows with one key the first stays"
    )
    freshness: Freshness | None = None
    rows_change: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="most change in rows since the last feature set of that name, as a share of them"
    )
    quarantine_most: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.2, description="share of bad rows over which the job stops before it writes"
    )
