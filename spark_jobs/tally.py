"""Where every row went, and what the label looks like: the first and only full count."""

from collections import Counter
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from conf.columns import OTHER
from conf.data import Task
from conf.errors import FranklinError
from conf.manifest import SPLITS, Label, SplitName
from spark_jobs.dataset import column
from spark_jobs.splitting import ASIDE, FATE, QUARANTINE, REASON

NEW_CLASS = "class is not in train"


@dataclass(frozen=True)
class Tally:
    """Rows per split and class (None alone for a regression or a sequence), and per reason for those in no split."""

    splits: dict[SplitName, dict[str | None, int]]
    quarantined: dict[str, int]
    set_aside: dict[str, int]

    def rows(self, split: SplitName) -> int:
        """Return the rows of a split."""
        return sum(self.splits[split].values())

    @property
    def total(self) -> int:
        """All rows, wherever they went."""
        aside = sum(self.quarantined.values()) + sum(self.set_aside.values())
        return sum(map(self.rows, SPLITS)) + aside


def count(rows: DataFrame, label: str, task: Task) -> Tally:
    """Count assigned rows. A class that train does not have cannot be learned: its rows are set aside.

    Raises:
        FranklinError: There is no row, or a split is left without one.

    """
    kind = F.lit(None).cast("string") if task in ("regression", "sequence") else column(label)
    splits: dict[SplitName, dict[str | None, int]] = {split: {} for split in SPLITS}
    others: dict[str, Counter[str]] = {QUARANTINE: Counter(), ASIDE: Counter()}
    for fate, reason, value, found in rows.groupBy(FATE, REASON, kind.alias("kind")).count().collect():
        if fate in others:
            others[fate][reason] += found
        else:
            splits[fate][value] = found
    for split in SPLITS:
        for value in splits[split].keys() - splits["train"].keys() if splits["train"] else ():
            others[ASIDE][NEW_CLASS] += splits[split].pop(value)
    tally = Tally(splits, _sorted(others[QUARANTINE]), _sorted(others[ASIDE]))
    _refuse_empty(tally)
    return tally


def fit_label(train: DataFrame, tally: Tally, name: str, task: Task, rare_below: int) -> Label:
    """Fit the label on train. Characters of a text that are there less than `rare_below` times are one class.

    Raises:
        FranklinError: It is constant there, or has more classes than the task allows.

    """
    constant = f"label '{name}' is the same in every train row, so there is nothing to learn; choose another label"
    if task == "regression":
        found = train.agg(*(of(column(name)) for of in (F.avg, F.stddev_pop, F.min, F.max))).collect()
        mean, scale, low, high = found[0]
        if low == high:
            raise FranklinError(constant)
        return Label(name=name, classes=[], prior=[], mean=float(f"{mean:.10g}"), scale=float(f"{scale:.10g}"))
    if task == "sequence":
        return _fit_characters(train, name, rare_below)
    counts = {str(value): rows for value, rows in tally.splits["train"].items()}
    if len(counts) == 1:
        raise FranklinError(constant)
    if task == "binary" and len(counts) > 2:  # noqa: PLR2004
        raise FranklinError(f"label '{name}' has {len(counts)} values, not two; say data.task=multiclass or regression")
    classes = in_order(counts)
    prior = [counts[each] / tally.rows("train") for each in classes]
    return Label(name=name, classes=classes, prior=prior, mean=0, scale=1)


def _fit_characters(train: DataFrame, name: str, rare_below: int) -> Label:
    """Fit the classes of each place: OTHER, then the characters, the most frequent first, ties by their number."""
    characters = train.select(F.explode(F.split(column(name), "")).alias("character"))
    counts: dict[str, int] = dict(characters.groupBy("character").count().collect())
    # Bytes that are no UTF-8 have become OTHER.
    often = [each for each in counts if counts[each] >= rare_below and each != OTHER]
    known = sorted(often, key=lambda each: (-counts[each], each))
    if len(known) <= 1:
        raise FranklinError(f"'{name}' has no two characters that train has {rare_below} times; lower data.rare_below")
    rows = sum(counts.values())
    shares = [counts[each] / rows for each in known]
    prior = [sum(counts[each] for each in counts.keys() - {*known}) / rows, *shares]
    return Label(name=name, classes=[OTHER, *known], prior=prior, mean=0, scale=1)


def in_order(classes: dict[str, int]) -> list[str]:
    """Order classes as numbers if all are, else alphabetically."""
    try:
        return sorted(classes, key=float)
    except ValueError:
        return sorted(classes)


def _refuse_empty(tally: Tally) -> None:
    if not tally.total:
        raise FranklinError("the dataset has no rows; check data.path")
    for split in SPLITS:
        if not tally.rows(split):
            outside = {**tally.quarantined, **tally.set_aside}
            without = f" ({', '.join(f'{rows} rows: {why}' for why, rows in outside.items())})" if outside else ""
            raise FranklinError(f"the {split} split is empty{without}; change data.split or give more rows")


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))
