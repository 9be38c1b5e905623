"""Words of all columns, counted in each split in one pass: what vocabularies are made of, and profiles."""

from dataclasses import dataclass

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from conf.manifest import SPLITS, SplitName
from spark_jobs.dataset import column
from spark_jobs.splitting import FATE

TOP = 50  # most frequent words of each split that a profile has


@dataclass(frozen=True)
class Counted:
    """The words of a column.

    Attributes:
        there: Rows with a word, by split.
        distinct: Different words, by split.
        words: The most frequent ones, with their rows by split; most frequent in train first, ties in alphabetical
            order.

    """

    there: dict[SplitName, int]
    distinct: dict[SplitName, int]
    words: dict[str, dict[SplitName, int]]

    def top(self) -> list[str]:
        """Return the words that are among the `TOP` of any split."""
        chosen: set[str] = set()
        for split in SPLITS:
            there = [word for word, rows in self.words.items() if rows[split]]
            chosen |= set(sorted(there, key=lambda word: (-self.words[word][split], word))[:TOP])
        return [word for word in self.words if word in chosen]


def count_words(rows: DataFrame, limits: dict[str, int]) -> dict[str, Counted]:
    """Count the words of columns.

    Args:
        rows: The rows of the three splits, raw.
        limits: Columns, and how many of the words most frequent in train are wanted of each.

    """
    if not limits:
        return {}
    names = list(limits)
    pairs = F.array(*(F.struct(F.lit(i).alias("i"), column(name).alias("word")) for i, name in enumerate(names)))
    whole = Window.partitionBy("i")
    counts = (
        rows.select(FATE, F.explode(pairs).alias("pair"))
        .where("pair.word is not null")
        .groupBy(F.col("pair.i").alias("i"), F.col("pair.word").alias("word"))
        .agg(*(F.count_if(column(FATE) == split).alias(split) for split in SPLITS))
        .withColumns({f"there_{split}": F.sum(split).over(whole) for split in SPLITS})
        .withColumns({f"distinct_{split}": F.count_if(F.col(split) > 0).over(whole) for split in SPLITS})
        .withColumns({f"place_{s}": F.row_number().over(whole.orderBy(F.desc(s), "word")) for s in SPLITS})
    )
    limit = F.element_at(F.array(*(F.lit(max(TOP, most)) for most in limits.values())), F.col("i") + 1)
    wanted = (F.col("place_train") <= limit) | (F.col("place_validation") <= TOP) | (F.col("place_test") <= TOP)
    found = {name: Counted(dict.fromkeys(SPLITS, 0), dict.fromkeys(SPLITS, 0), {}) for name in names}
    for row in counts.where(wanted).orderBy("i", "place_train").toArrow().to_pylist():
        one = found[names[row["i"]]]
        one.words[row["word"]] = {split: row[split] for split in SPLITS}
        for split in SPLITS:
            one.there[split], one.distinct[split] = row[f"there_{split}"], row[f"distinct_{split}"]
    return found
