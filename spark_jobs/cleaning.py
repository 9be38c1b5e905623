"""The last step of every source: what is wrong with a row, what it is set aside for, and what is kept of it."""

from collections.abc import Iterable
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from conf.data import Data
from conf.kinds import CyclicKind, Kind, NumericKind
from spark_jobs.checks import numbered, repeated
from spark_jobs.dataset import (
    KEY,
    OUTSIDE,
    QUARANTINED,
    ROW,
    SET_ASIDE,
    beyond,
    column,
    first_reason,
    identity,
    placeless,
    placing,
)
from spark_jobs.sources.lines import UNFIT, UNREADABLE
from spark_jobs.windows import outside, settled, undated

VALUE = "__value_"


@dataclass(frozen=True)
class Meaning:
    """What a source knows of its rows.

    Attributes:
        features: What is kept, by name.
        kinds: What each of them is.
        label: What is to be predicted; null where the row is no example.
        no_example: Why it then is none.
        own: All that was read of a row: it is what tells the row from others, and what is shown if it is quarantined.
        rules: Reasons and conditions by which a row is quarantined, in the order in which they are looked at.

    """

    features: dict[str, Column]
    kinds: dict[str, Kind]
    label: Column
    no_example: Column
    own: Iterable[str]
    rules: dict[str, Column]


def clean(rows: DataFrame, meaning: Meaning, data: Data) -> DataFrame:
    """Say of each row what it is, as `spark_jobs.dataset.Dataset.rows` has it.

    A line that is no row is quarantined. Of the others, those of a day outside the window are set aside, whatever else
    is wrong with them. Of rows with one key that has to be unique, the first one stays with which nothing is wrong.

    Args:
        rows: As they were read and joined, with `__unreadable` and `__unfit` (see `spark_jobs.sources.lines`).
        meaning: What the source knows of them.
        data: The dataset.

    Raises:
        FranklinError: The window is of the newest days, and there is no newest day.

    """
    own, label = [column(name) for name in meaning.own], meaning.label
    data = settled(rows, data, meaning.rules)
    away = outside(data)
    numbers = [name for name, kind in meaning.kinds.items() if isinstance(kind, NumericKind | CyclicKind)]
    # Columns of their own: they are looked at here and kept below, and are to be reckoned once.
    values = {name: f"{VALUE}{i}" for i, name in enumerate(numbers)}
    rows = rows.withColumns({KEY: identity(own), **{values[name]: meaning.features[name] for name in numbers}})
    great = beyond({name: column(values[name]) for name in numbers})
    rules = meaning.rules | undated(data) | placeless(data.split) | great
    rows = rows.withColumn(QUARANTINED, F.coalesce(column(UNFIT), F.when(~away, first_reason(rules))))
    if data.checks.unique:
        rows = numbered(rows, data.checks, column(QUARANTINED).isNull() & ~away & label.isNotNull())
        again = F.coalesce(column(QUARANTINED), first_reason(repeated(data.checks)))
        rows = rows.withColumn(QUARANTINED, again)
    shown = F.make_valid_utf8(F.coalesce(column(UNREADABLE), F.to_json(F.struct(*own))))
    features = {name: column(values[name]) if name in values else value for name, value in meaning.features.items()}
    apart = {} if data.label in features else {data.label: label}
    return rows.select(
        *(value.alias(name) for name, value in (features | apart).items()),
        KEY,
        *placing(data.split, label, data.day),
        QUARANTINED,
        F.when(away, F.lit(OUTSIDE)).when(label.isNull(), meaning.no_example).alias(SET_ASIDE),
        F.when(column(QUARANTINED).isNotNull(), shown).alias(ROW),
    )
