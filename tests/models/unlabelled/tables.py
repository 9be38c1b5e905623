"""Small rows with known groups and known rules."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import adjusted_rand_score

from conf.columns import RESERVED_CODES
from conf.data import Task
from conf.selecting import Segments
from models.candidates.rows import Columns, Rows


def table(
    numbers: ArrayLike,
    codes: ArrayLike,
    label: ArrayLike,
    task: Task = "regression",
    *,
    code_names: Sequence[str] = ("city",),
    classes: Sequence[str] = (),
) -> Rows:
    """Rows of numbers `x0, x1, ...` and of codes whose values are counted from 0."""
    x, coded = np.asarray(numbers, np.float32), np.asarray(codes, np.int32)
    coded = coded.reshape(len(x), len(code_names)) + RESERVED_CODES
    columns = Columns(
        task=task,
        numbers=tuple(f"x{i}" for i in range(x.shape[1])),
        codes=tuple(code_names),
        cardinalities=tuple(int(each) + 1 for each in coded.max(axis=0, initial=RESERVED_CODES)),
        classes=tuple(classes),
    )
    return Rows(columns, x, coded, np.asarray(label, np.float64))


def blobs(values: int = 12, kinds: int = 3, rows: int = 40, seed: int = 0) -> tuple[Rows, list[str], list[int]]:
    """Rows of values that are of some kinds far apart; the values' names, and their kinds."""
    generator = np.random.default_rng(seed)
    kind = np.arange(values) % kinds
    centre = np.eye(kinds) * 6
    code = np.repeat(np.arange(values), rows)
    numbers = centre[kind[code]] + generator.normal(0, 1, (len(code), kinds))
    label = kind[code] + generator.normal(0, 0.1, len(code))
    return table(numbers, code, label), [f"{'abcdefgh'[k]}{i}" for i, k in enumerate(kind)], [*map(int, kind)]


def agreement(found: Segments, truth: dict[str, int]) -> float:
    """Adjusted Rand index of groups against the kinds of their values."""
    of = {name: number for number, group in enumerate(found.groups) for name in group}
    return float(adjusted_rand_score([truth[name] for name in of], [*of.values()]))
