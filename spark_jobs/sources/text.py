"""A text, cut into rows that say of each character which one follows: Python's own topics, or files of yours.

The topics are what `help("assert")` shows, from the reference of the language (`pydoc_data`). Whole paragraphs are in
several of them; each is kept once, where it comes first, so that no split has seen the text of another.
"""

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from conf.data import Data
from conf.errors import FranklinError
from conf.kinds import TextKind
from spark_jobs.checks import broken, check_names
from spark_jobs.cleaning import Meaning, clean
from spark_jobs.dataset import Dataset, column, kinds, observed, require, split_columns
from spark_jobs.sources.far import plain_url
from spark_jobs.sources.lines import fitting
from spark_jobs.sources.storage import PythonStorage

TEXT, SECTION, NAME = "text", "section", "name"
ROWS_OF_A_SECTION = 16
SHORTEST_PARAGRAPH = 40  # characters; shorter ones, such as "Note:", may come again


def text(spark: SparkSession, data: Data, days: str) -> Dataset:  # noqa: ARG001, it has no folders of days
    """Read the text and cut it.

    Raises:
        FranklinError: There is no file, or the label or a configured column is not known.

    """
    require(data.label, [TEXT], "data.label")
    columns = kinds(data, {}, [TEXT])
    check_names(data.checks, [TEXT, SECTION])
    for name in split_columns(data.split):
        require(name, [SECTION], "data.split")
    kind = columns[TEXT]
    if not isinstance(kind, TextKind):
        raise FranklinError(f"data.columns.{TEXT}={kind.kind}: say {{kind: text, length: 128}}")
    whole = _topics(spark) if data.path is None else _files(spark, data.path)
    rows, read = observed(cut(whole, kind.length), data.checks)
    whole_row = F.length(TEXT) == kind.length + 1
    meaning = Meaning(
        features={TEXT: column(TEXT)},
        kinds=columns,
        label=F.when(whole_row, column(TEXT)),
        no_example=F.lit(f"end of a text, with less than the {kind.length + 1} characters of a row"),
        own=[SECTION, TEXT],
        rules=broken(data.checks),
    )
    return Dataset(clean(fitting(rows), meaning, data), read, columns, TEXT, "sequence", inferred={})


def cut(texts: DataFrame, length: int) -> DataFrame:
    """Cut each text into rows of `length` characters and one more, with which the next row begins.

    So every character but a text's first is asked for once. The end of a text is a row too, if only a short one.
    Some rows that follow each other are a section. A split goes by these: topics and files may be few, and of very
    different length.
    """
    starts = F.sequence(F.lit(1), F.greatest(F.lit(1), F.length(TEXT) - 1), F.lit(length))
    placed = texts.select(NAME, TEXT, F.posexplode(starts).alias("place", "start"))
    return placed.select(
        F.concat(column(NAME), F.lit(":"), F.floor(column("place") / ROWS_OF_A_SECTION)).alias(SECTION),
        F.substring(TEXT, column("start"), F.lit(length + 1)).alias(TEXT),
    )


def _topics(spark: SparkSession) -> DataFrame:
    from pydoc_data.topics import topics

    seen: set[str] = set()
    return spark.createDataFrame(pd.DataFrame({NAME: topics.keys(), TEXT: [_unseen(t, seen) for t in topics.values()]}))


def _unseen(topic: str, seen: set[str]) -> str:
    """Return the paragraphs that are not in `seen`, and add them to it."""
    kept = []
    for paragraph in topic.split("\n\n"):
        words = " ".join(paragraph.split())
        if len(words) < SHORTEST_PARAGRAPH or words not in seen:
            kept.append(paragraph)
        seen.add(words)
    return "\n\n".join(kept)


def _files(spark: SparkSession, path: str) -> DataFrame:
    files = [plain_url(file) for file in PythonStorage(path).find(path)]
    if not files:
        raise FranklinError(f"{path} holds no file; name a text or a folder with texts")
    return spark.read.text(files, wholetext=True).select(
        F.col("_metadata.file_name").alias(NAME), F.make_valid_utf8("value").alias(TEXT)
    )
