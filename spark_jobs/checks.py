"""The rules of `conf.checks`: of each row, by which it is quarantined, and of the whole, by which the job stops."""

import json
from collections.abc import Iterable
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from conf.checks import Checks, Rule
from conf.errors import FranklinError
from conf.manifest import Manifest
from spark_jobs.dataset import KEY, Dataset, as_number, column, incomplete, require
from spark_jobs.tally import Tally
from spark_jobs.writing import Draft

COPY = "__copy_"
NAMED = 3  # reasons, in a message


def check_names(checks: Checks, there: Iterable[str]) -> None:
    """Refuse rules for columns that are not there.

    Raises:
        FranklinError: One is not; the nearest name is suggested.

    """
    names = list(there)
    fresh = [checks.freshness.column] if checks.freshness else []
    unique = [name for key in checks.unique for name in key]
    for key, said in (("columns", [*checks.columns]), ("unique", unique), ("freshness.column", fresh)):
        for name in said:
            require(name, names, f"data.checks.{key}")


def broken(checks: Checks) -> dict[str, Column]:
    """Return the reasons and conditions of rows that break a rule of a column."""
    return {why: when for name, rule in checks.columns.items() for why, when in _broken(name, rule).items()}


def numbered(rows: DataFrame, checks: Checks, good: Column) -> DataFrame:
    """Number the good rows of each key that has to be unique, in an order that depends on nothing but the rows.

    A row that is a copy by one key is not good any more when the next key is looked at.
    """
    for i, key in enumerate(checks.unique):
        counts = good & ~incomplete(key)
        # All others are dealt by their own keys: those of one value, such as none, would be one task's.
        apart = F.when(~counts, column(KEY))
        place = F.row_number().over(Window.partitionBy(*map(column, key), apart).orderBy(KEY))
        rows = rows.withColumn(f"{COPY}{i}", F.when(counts, place))
        good &= F.coalesce(column(f"{COPY}{i}") == 1, F.lit(True))
    return rows


def repeated(checks: Checks) -> dict[str, Column]:
    """Return the reasons and conditions of rows of `numbered` whose key was there before; one with a gap is no key."""
    return {f"{_listed(key)} is there more than once": column(f"{COPY}{i}") > 1 for i, key in enumerate(checks.unique)}


def judge(checks: Checks, dataset: Dataset, tally: Tally, draft: Draft, name: str) -> None:
    """Stop before anything is written, if the dataset as a whole breaks a rule.

    Raises:
        FranklinError: Too many bad rows, none that are fresh, or far more or fewer rows than last time.

    """
    _judge_quarantine(checks.quarantine_most, tally)
    if checks.freshness:
        checks.freshness.judge(dataset.read.get["newest"])
    last = _last_rows(draft, name) if checks.rows_change else None
    if last and abs(tally.total - last) > (checks.rows_change or 0) * last:
        raise FranklinError(
            f"{tally.total:,} rows, and {last:,} last time: more than data.checks.rows_change={checks.rows_change:g} "
            "allows; mend the input, or change the rule"
        )


def _judge_quarantine(most: float, tally: Tally) -> None:
    bad = sum(tally.quarantined.values())
    if bad <= most * tally.total:
        return
    reasons = sorted(tally.quarantined.items(), key=lambda each: -each[1])[:NAMED]
    named = ", ".join(f"{rows:,}: {why}" for why, rows in reasons)
    raise FranklinError(
        f"{bad:,} of {tally.total:,} rows break a rule ({named}), more than "
        f"data.checks.quarantine_most={most:g} allows; mend the input or the rules, or raise that share"
    )


def _broken(name: str, rule: Rule) -> dict[str, Column]:
    values = column(name)
    missing = values.isNull() | (F.lower(values.cast("string")) == "nan")
    found = {f"'{name}' is missing": missing} if rule.not_null else {}
    for bound, side in ((rule.least, "below"), (rule.most, "above")):
        if bound is not None:
            read = values.try_cast("date") if isinstance(bound, date) else as_number(values)
            found[f"'{name}' is no {'date' if isinstance(bound, date) else 'number'}"] = ~missing & read.isNull()
            found[f"'{name}' is {side} {bound}"] = read < F.lit(bound) if side == "below" else read > F.lit(bound)
    if rule.type:
        found[f"'{name}' is no {rule.type}"] = ~missing & ~_is(values, rule.type)
    if rule.allowed:
        numbers = not any(isinstance(value, str) for value in rule.allowed)
        read = as_number(values) if numbers else values.cast("string")
        known = [*map(float, rule.allowed)] if numbers else [str(value) for value in rule.allowed]
        found[f"'{name}' is none of the allowed values"] = ~missing & ~F.coalesce(read.isin(known), F.lit(False))
    if rule.matches:
        fits = values.cast("string").rlike(f"^(?:{rule.matches})\\z")
        found[f"'{name}' does not match {rule.matches}"] = ~missing & ~fits
    return found


def _is(values: Column, kind: str) -> Column:
    number = as_number(values)
    return {
        "number": number.isNotNull(),
        "integer": F.coalesce(number == F.rint(number), F.lit(False)),
        "date": values.try_cast("date").isNotNull(),
        "time": values.try_cast("timestamp").isNotNull(),
        "boolean": values.try_cast("boolean").isNotNull(),
    }[kind]


def _listed(key: list[str]) -> str:
    return " and ".join(f"'{name}'" for name in key)


def _last_rows(draft: Draft, name: str) -> int | None:
    """Return the rows of the newest feature set of that name, if there is any."""
    found = []
    for path in draft.system.glob(f"{draft.parent}/{name}-*/manifest.json"):
        stored = json.loads(draft.system.cat_file(path))
        if stored["name"] == name and stored["schema_version"] == Manifest.model_fields["schema_version"].default:
            found.append((stored["created"], stored["rows_in"]))
    return max(found)[1] if found else None
