"""Raw columns to numbers, as `conf.columns` defines them. Fitted on train alone, in a few passes over it."""

from dataclasses import dataclass

from pyspark.sql import DataFrame

from conf.columns import Categorical, Column, Cyclic, Hashed, Numeric, Quantile, Target, TensorColumn
from conf.data import Data
from conf.errors import FranklinError
from conf.kinds import CategoricalKind, CyclicKind, Kind, NumericKind, TensorKind, TextKind, TimeKind
from conf.manifest import WHERE, Label
from conf.profile import Profile
from spark_jobs.dataset import KEY, column
from spark_jobs.encoding.categories import Words, code, encode_categories, fit_categories, listed, with_codes
from spark_jobs.encoding.numbers import encode_numbers, fit_numbers, with_places
from spark_jobs.encoding.targets import Means, encode_targets, fit_targets, with_means
from spark_jobs.encoding.tensors import encode_tensor, fit_tensor, fit_text
from spark_jobs.splitting import FATE


@dataclass(frozen=True)
class Encoding:
    """The fitted columns, and what only train rows need of them."""

    columns: list[Column]
    label: Label
    means: dict[str, Means]


def fit(
    train: DataFrame, kinds: dict[str, Kind], data: Data, label: Label, *, profile: Profile, words: Words
) -> Encoding:
    """Fit the encoding of each column.

    Args:
        train: The rows of train, raw.
        kinds: Kind of each feature.
        data: What is rare, and how many values get a code.
        label: The label as fitted.
        profile: What features and label look like.
        words: Words of each column that is to have a vocabulary (see `fit_categories`).

    Raises:
        FranklinError: Two columns would have the same name when encoded.

    """
    numbers = {name: kind for name, kind in kinds.items() if isinstance(kind, NumericKind | CyclicKind | TimeKind)}
    named = {name: kind for name, kind in kinds.items() if isinstance(kind, CategoricalKind)}
    by_target = {name: kind for name, kind in named.items() if kind.encoding == "target"}
    means = fit_targets(train, by_target, label, data.vocabulary_most)
    fitted: dict[str, Column] = {
        **{one.name: one for one in fit_numbers(train, numbers, profile)},
        **fit_categories(words, data.rare_below, data.vocabulary_most),
        **{n: Hashed(name=n, buckets=kind.buckets) for n, kind in named.items() if kind.encoding == "hash"},
        **{name: one.column for name, one in means.items()},
        **{name: fit_tensor(train, name, kind) for name, kind in kinds.items() if isinstance(kind, TensorKind)},
        **{n: fit_text(n, kind, label.classes[1:]) for n, kind in kinds.items() if isinstance(kind, TextKind)},
    }
    columns = [fitted[name] for name in kinds]
    _check_names(columns, label)
    return Encoding(columns, label, means)


def encode(rows: DataFrame, encoding: Encoding) -> DataFrame:
    """Return the encoded columns in the manifest's order, the label, and franklin's own columns.

    A label must be of a known class. That of a sequence is one of the columns.
    """
    label = encoding.label
    lists = {c.name: listed(c) for c in encoding.columns if isinstance(c, Categorical) and listed(c)}
    apart = label.name not in [each.name for each in encoding.columns]
    if label.classes and apart:
        lists[label.name] = label.classes
    placed = with_places(rows, [each for each in encoding.columns if isinstance(each, Quantile)])
    coded = with_means(rows.sparkSession, with_codes(placed, lists), encoding.means)
    target = code(label.name) if label.classes else column(label.name).cast("float")  # that of a text is not taken
    encoded = []
    for each in encoding.columns:
        if isinstance(each, Numeric | Quantile | Cyclic):
            encoded += encode_numbers(each)
        elif isinstance(each, Target):
            encoded += encode_targets(each)
        elif isinstance(each, Categorical | Hashed):
            encoded.append(encode_categories(each))
        elif isinstance(each, TensorColumn):
            encoded.append(encode_tensor(each))
    return coded.select(*encoded, *([target.alias(label.name)] if apart else []), FATE, KEY, WHERE)


def _check_names(columns: list[Column], label: Label) -> None:
    apart = [] if label.name in [each.name for each in columns] else [label.name]
    names = [*apart, *(name for each in columns for name in each.encoded)]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise FranklinError(f"two columns would be called '{repeated[0]}' when encoded; rename one of them")
