"""The last step of every source: what is wrong with a row, what it is set aside for, and what is kept of it."""

from collections.abc import Iterable
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from conf.data import Data
from spark_jobs.checks import numbered, repeated
from spark_jobs.dataset import (
    KEY,
    OUTSIDE,
    QUARANTINED,
    ROW,
    SET_ASIDE,
    column,
    first_reason,
    identity,
    placing,
    within,
)
from spark_jobs.sources.lines import UNFIT, UNREADABLE


@dataclass(frozen=True)
class Meaning:
    """What a source knows of its rows.

    Attributes:
        features: What is kept, by name.
        label: What is to be predicted; null where the row is no example.
        no_example: Why it then is none.
        own: All that was read of a row: it is what tells the row from others, and what is shown if it is quarantined.
        rules: Reasons and conditions by which a row is quarantined, in the order in which they are looked at.

    """

    features: dict[str, Column]
    label: Column
    no_example: Column
    own: Iterable[str]
    rules: dict[str, Column]


def clean(rows: DataFrame, meaning: Meaning, data: Data) -> DataFrame:
    """Say of each row what it is, as `spark_jobs.dataset.Dataset.rows` has it.

    A line that is no row is quarantined. Of the others, those outside the window are set aside, whatever else is wrong
    with them. Of rows with one key that has to be unique, the first good one stays.

    Args:
        rows: As they were read and joined, with `__unreadable` and `__unfit` (see `spark_jobs.sources.lines`).
        meaning: What the source knows of them.
        data: The dataset.

    """
    own, label = [column(name) for name in meaning.own], meaning.label
    inside = within(rows, data)
    wrong = F.coalesce(column(UNFIT), F.when(inside, first_reason(meaning.rules)))
    rows = rows.withColumns({KEY: identity(own), QUARANTINED: wrong})
    if data.checks.unique:
        good = column(QUARANTINED).isNull() & inside & label.isNotNull()
        rows = numbered(rows, data.checks, good)
        again = F.coalesce(column(QUARANTINED), first_reason(repeated(data.checks)))
        rows = rows.withColumn(QUARANTINED, again)
    shown = F.make_valid_utf8(F.coalesce(column(UNREADABLE), F.to_json(F.struct(*own))))
    return rows.select(
        *(values.alias(name) for name, values in meaning.features.items()),
        label.alias(data.label),
        KEY,
        *placing(data.split, label),
        QUARANTINED,
        F.when(~inside, F.lit(OUTSIDE)).when(label.isNull(), meaning.no_example).alias(SET_ASIDE),
        F.when(column(QUARANTINED).isNotNull(), shown).alias(ROW),
    )
