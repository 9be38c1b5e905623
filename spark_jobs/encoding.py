"""Raw columns to numbers, as `conf.manifest` defines them. Fitted on train alone, in two passes over it."""

from pyspark.ml.feature import StringIndexerModel
from pyspark.sql import Column as Values
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from conf.manifest import MISSING, RESERVED_CODES, UNKNOWN, Categorical, Column, Label, Numeric
from conf.schema import Kind
from spark_jobs.dataset import KEY, column
from spark_jobs.splitting import FATE

CODE = "__code_"


def fit(train: DataFrame, columns: dict[str, Kind], rare_below: int) -> list[Column]:
    """Fit the encoding of each column: one aggregation for all numeric ones, one for all vocabularies.

    Args:
        train: The rows of train, raw.
        columns: Kind of each feature.
        rare_below: Values in fewer rows than this stay out of the vocabulary.

    Returns:
        The encodings, in the order of `columns`.

    """
    numbers = moments(train, [name for name, kind in columns.items() if kind == "numeric"])
    words = vocabularies(train, [name for name, kind in columns.items() if kind == "categorical"], rare_below)
    return [
        Numeric(name=name, mean=numbers[name][0], scale=numbers[name][1], indicator=numbers[name][2])
        if kind == "numeric"
        else Categorical(name=name, vocabulary=words[name])
        for name, kind in columns.items()
    ]


def moments(rows: DataFrame, names: list[str]) -> dict[str, tuple[float, float, bool]]:
    """Return each numeric column's mean, standard deviation (1 for a constant) and whether any value is missing."""
    if not names:
        return {}
    asked = [
        F.struct(F.avg(x).alias("mean"), F.stddev_pop(x).alias("scale"), F.count_if(x.isNull()).alias("missing"))
        for x in map(column, names)
    ]
    found = rows.agg(*asked).head()
    # An empty train split has been refused before.
    assert found is not None  # noqa: S101
    return {
        name: (_rounded(one.mean or 0.0), _rounded(one.scale or 0.0) or 1.0, one.missing > 0)
        for name, one in zip(names, found, strict=True)
    }


def vocabularies(rows: DataFrame, names: list[str], rare_below: int) -> dict[str, list[str]]:
    """Return each categorical column's values, most frequent first, ties in alphabetical order."""
    words: dict[str, list[tuple[int, str]]] = {name: [] for name in names}
    if not names:
        return {}
    pairs = F.array(*(F.struct(F.lit(i).alias("i"), column(name).alias("word")) for i, name in enumerate(names)))
    counts = (
        rows.select(F.explode(pairs).alias("pair"))
        .where("pair.word is not null")
        .groupBy("pair.i", "pair.word")
        .agg(F.count("*").alias("rows"))
        .where(F.col("rows") >= rare_below)
    )
    for i, word, count in counts.collect():
        words[names[i]].append((-count, word))
    return {name: [word for _, word in sorted(found)] for name, found in words.items()}


def encode(rows: DataFrame, columns: list[Column], label: Label) -> DataFrame:
    """Return the encoded columns in the manifest's order, the label, and franklin's own columns.

    A label must be of a known class.
    """
    lists = {c.name: c.vocabulary for c in columns if isinstance(c, Categorical) and c.vocabulary}
    if label.classes:
        lists[label.name] = label.classes
    coded = _coded(rows, lists)
    encoded = [values for each in columns for values in _encode(each)]
    target = _code(label.name) if label.classes else column(label.name).cast("float")
    return coded.select(*encoded, target.alias(label.name), FATE, KEY)


def _encode(fitted: Column) -> list[Values]:
    raw = column(fitted.name)
    if isinstance(fitted, Numeric):
        value = F.coalesce((raw - fitted.mean) / fitted.scale, F.lit(0.0)).cast("float").alias(fitted.name)
        return [value, raw.isNull().cast("float").alias(fitted.encoded[1])] if fitted.indicator else [value]
    known = F.lit(UNKNOWN)
    if fitted.vocabulary:
        place = _code(fitted.name)
        known = F.when(place < len(fitted.vocabulary), place + RESERVED_CODES).otherwise(UNKNOWN)
    return [F.when(raw.isNull(), MISSING).otherwise(known).cast("int").alias(fitted.name)]


def _coded(rows: DataFrame, lists: dict[str, list[str]]) -> DataFrame:
    """Add each string's place in its list, or the list's length if it is not there."""
    if not lists:
        return rows
    # The indexer's own column names are plain: it knows no quoting.
    plain = [f"__word_{i}" for i in range(len(lists))]
    codes = [f"__place_{i}" for i in range(len(lists))]
    indexer = StringIndexerModel.from_arrays_of_labels(list(lists.values()), plain, codes, handleInvalid="keep")
    with_words = rows.select("*", *(column(name).alias(word) for name, word in zip(lists, plain, strict=True)))
    indexed = indexer.transform(with_words)
    return indexed.withColumnsRenamed({code: CODE + name for name, code in zip(lists, codes, strict=True)})


def _code(name: str) -> Values:
    return column(CODE + name).cast("int")


def _rounded(value: float) -> float:
    # Spark adds up in no fixed order; ten digits leave no trace of it.
    return float(f"{value:.10g}")
