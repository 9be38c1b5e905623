"""Rules that a dataset has to keep. A row that breaks one is quarantined; a broken rule of the whole stops the job."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from conf.errors import FranklinError
from conf.strict import Positive, Strict

Bound = float | date


class Rule(Strict):
    """What each value of a column must be; a missing one breaks `not_null` alone."""

    type: Literal["number", "integer", "date", "time", "boolean"] | None = None
    least: Bound | None = Field(default=None, description="smallest number, or first date")
    most: Bound | None = Field(default=None, description="largest number, or last date")
    not_null: bool = False
    allowed: list[str | int | float] | None = Field(default=None, min_length=1)
    matches: str | None = Field(
        default=None, description="a regular expression, of Java and Python alike, that the whole value has to match"
    )

    @field_validator("allowed", mode="before")
    @classmethod
    def _are_no_truths(cls, allowed: Any) -> Any:
        if isinstance(allowed, list) and any(isinstance(value, bool) for value in allowed):
            raise ValueError("YAML reads words such as no and yes as truth values: put them in quotes")
        return allowed

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

    def judge(self, newest: date | None) -> None:
        """Refuse rows whose newest date is too old.

        Raises:
            FranklinError: It is, or there is none.

        """
        oldest = datetime.now(UTC).date() - timedelta(days=self.days)
        if newest is None or newest < oldest:
            raise FranklinError(
                f"the newest '{self.column}' is {newest or 'no date'}, before {oldest}: bring newer rows, "
                "or change data.checks.freshness"
            )


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
