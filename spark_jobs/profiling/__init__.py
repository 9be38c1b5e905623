"""What the columns look like, as `conf.profile` defines it; the same passes give what encodings are fitted on."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pyspark.sql import DataFrame

from conf.data import Data
from conf.kinds import CategoricalKind, Kind, NumericKind, TensorKind, TextKind, TimeKind
from conf.manifest import SPLITS, Label, SplitName
from conf.profile import (
    QUANTILES,
    ColumnProfile,
    NumberProfile,
    Numbers,
    Profile,
    TensorProfile,
    Tensors,
    WordProfile,
    Words,
)
from spark_jobs.encoding.categories import RARE_KEPT
from spark_jobs.profiling.bins import Floats, counted, edges
from spark_jobs.profiling.numbers import Found, count_numbers
from spark_jobs.profiling.words import TOP, Counted, count_words
from spark_jobs.tally import Tally


@dataclass(frozen=True)
class Looks:
    """The profile, and the words of each column that is to have a vocabulary: rows in train, most frequent first."""

    profile: Profile
    words: dict[str, list[tuple[str, int]]]


def look(rows: DataFrame, features: dict[str, Kind], data: Data, label: Label, tally: Tally) -> Looks:
    """Profile features and label, in passes over rows that are kept: the input is not read again for it.

    Args:
        rows: The rows of the three splits, raw.
        features: Kind of each feature.
        data: How many values of a column get a code.
        label: The label as fitted.
        tally: How many rows there are.

    """
    words = {name: kind for name, kind in features.items() if isinstance(kind, CategoricalKind)}
    by_vocabulary = [name for name, kind in words.items() if kind.encoding == "vocabulary"]
    most = data.vocabulary_most + RARE_KEPT + 1
    of_words = count_words(rows, {name: most if name in by_vocabulary else TOP for name in words})
    stacked: dict[str, Kind] = {name: kind for name, kind in features.items() if name not in words}
    if label.name not in features:
        if label.classes:
            of_words[label.name] = _classes(label, tally)
        else:
            stacked[label.name] = NumericKind()
    of_numbers = count_numbers(rows, stacked, tally)
    counts = {split: tally.rows(split) for split in SPLITS}
    columns: dict[str, ColumnProfile] = {}
    for name in (*features, label.name):
        if name in of_words:
            columns[name] = _word_profile(of_words[name], counts)
        else:
            columns[name] = _number_profile({split: of_numbers[split, name] for split in SPLITS}, stacked[name], counts)
    sampled = {
        split: max((one.sampled for (of, _), one in of_numbers.items() if of == split), default=0) for split in SPLITS
    }
    profile = Profile(rows=counts, sampled=sampled, columns=columns)
    return Looks(
        profile,
        {
            name: [(word, n["train"]) for word, n in of_words[name].words.items() if n["train"]]
            for name in by_vocabulary
        },
    )


def _classes(label: Label, tally: Tally) -> Counted:
    """Return the words of the label, which have been counted before."""
    words = {each: {split: tally.splits[split].get(each, 0) for split in SPLITS} for each in label.classes}
    distinct = {split: sum(rows[split] > 0 for rows in words.values()) for split in SPLITS}
    return Counted({split: tally.rows(split) for split in SPLITS}, distinct, words)


def _word_profile(found: Counted, rows: dict[SplitName, int]) -> WordProfile:
    values = found.top()
    splits = {
        split: Words(
            missing=rows[split] - found.there[split],
            distinct=found.distinct[split],
            counts=[found.words[value][split] for value in values],
        )
        for split in SPLITS
    }
    return WordProfile(values=values, splits=splits)


def _number_profile(found: dict[SplitName, Found], kind: Kind, rows: dict[SplitName, int]) -> ColumnProfile:
    missing = {split: rows[split] - one.moments.there for split, one in found.items()}
    if isinstance(kind, TensorKind | TextKind):
        return TensorProfile(splits={split: Tensors(missing=missing[split]) for split in SPLITS})
    between, each = edges(found["train"].sample)
    splits = {split: _numbers(one, rows[split], between) for split, one in found.items()}
    name: Literal["numeric", "time"] = "time" if isinstance(kind, TimeKind) else "numeric"
    return NumberProfile(kind=name, edges=between.tolist(), each=each, splits=splits)


def _numbers(found: Found, rows: int, between: Floats) -> Numbers:
    moments = found.moments
    return Numbers(
        missing=rows - moments.there,
        distinct=found.distinct,
        low=moments.low,
        high=moments.high,
        mean=moments.mean,
        deviation=moments.deviation,
        quantiles=np.quantile(found.sample, QUANTILES).tolist() if len(found.sample) else [],
        histogram=counted(found.sample, between),
    )
