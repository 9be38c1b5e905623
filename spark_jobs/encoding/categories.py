"""Words to codes: by vocabulary, or by hash."""

from pyspark.ml.feature import StringIndexerModel
from pyspark.sql import Column as Values
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from conf.columns import MISSING, RARE, RESERVED_CODES, UNKNOWN, Categorical, Hashed
from spark_jobs.dataset import column

CODE = "__code_"
Words = dict[str, list[tuple[str, int]]]

RARE_KEPT = 10_000  # rare values of a column that its manifest lists, at most


def fit_categories(words: Words, rare_below: int, most: int) -> dict[str, Categorical]:
    """Fit the vocabularies of columns.

    Args:
        words: Words of each column and their rows in train: most frequent first, ties in alphabetical order, and no
            fewer than `most` and `RARE_KEPT` together and one, if there are.
        rare_below: Values in fewer rows than this are rare.
        most: Values of a column that get a code of their own; the others are rare too.

    """
    return {name: _vocabulary(name, found, rare_below, most) for name, found in words.items()}


def encode_categories(fitted: Categorical | Hashed) -> Values:
    """Return the codes of a column whose words have been looked up by `with_codes`."""
    raw = column(fitted.name)
    if isinstance(fitted, Hashed):
        code = F.pmod(F.crc32(raw.cast("binary")), F.lit(fitted.buckets)) + RESERVED_CODES
    else:
        code = _known(fitted)
    return F.when(raw.isNull(), MISSING).otherwise(code).cast("int").alias(fitted.name)


def listed(fitted: Categorical) -> list[str]:
    """Words to be looked up, the rare ones last."""
    return [*fitted.vocabulary, *(fitted.rare or [])]


def with_codes(rows: DataFrame, lists: dict[str, list[str]]) -> DataFrame:
    """Add each string's place in its list, or the list's length if it is not there (see `code`)."""
    if not lists:
        return rows
    # The indexer's own column names are plain: it knows no quoting.
    plain = [f"__word_{i}" for i in range(len(lists))]
    codes = [f"__place_{i}" for i in range(len(lists))]
    indexer = StringIndexerModel.from_arrays_of_labels(list(lists.values()), plain, codes, handleInvalid="keep")
    with_words = rows.select("*", *(column(name).alias(word) for name, word in zip(lists, plain, strict=True)))
    indexed = indexer.transform(with_words)
    return indexed.withColumnsRenamed({code: CODE + name for name, code in zip(lists, codes, strict=True)})


def code(name: str) -> Values:
    """Return the place that `with_codes` has found."""
    return column(CODE + name).cast("int")


def _known(fitted: Categorical) -> Values:
    other = RARE if fitted.rare is None else UNKNOWN
    if not listed(fitted):
        return F.lit(other)
    place, words = code(fitted.name), len(fitted.vocabulary)
    rare = F.when(place < len(listed(fitted)), RARE).otherwise(other)
    return F.when(place < words, place + RESERVED_CODES).otherwise(rare)


def _vocabulary(name: str, words: list[tuple[str, int]], rare_below: int, most: int) -> Categorical:
    common = [word for word, rows in words[:most] if rows >= rare_below]
    rare = sorted(word for word, _ in words[len(common) :])
    return Categorical(name=name, vocabulary=common, rare=rare if len(rare) <= RARE_KEPT else None)
