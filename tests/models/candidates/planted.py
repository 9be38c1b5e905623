"""Rows with a planted assumption, kept or broken, and what a candidate would have said of them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from conf.contests import CandidateName, Family
from conf.data import Task
from conf.selecting import Fit
from models.candidates.assumptions.evidence import Held
from models.candidates.rows import Columns, Rows

FAMILIES: dict[CandidateName, Family] = {
    "mean": "baseline",
    "linear_regression": "linear",
    "logistic_regression": "linear",
    "lightgbm": "boosting",
    "mlp": "network",
}
CLASSES: dict[str, tuple[str, ...]] = {"regression": (), "binary": ("no", "yes"), "multiclass": ("a", "b", "c")}


def rows(  # noqa: PLR0917 -- all that rows have
    task: Task,
    numbers: NDArray[np.float64],
    label: NDArray[np.float64],
    codes: NDArray[np.int64] | None = None,
    where: NDArray[np.int64] | None = None,
    what: str | None = "day",
) -> Rows:
    codes = np.zeros((len(label), 0), dtype=np.int64) if codes is None else codes
    names = tuple(f"n{place}" for place in range(numbers.shape[1]))
    coded = tuple(f"c{place}" for place in range(codes.shape[1]))
    many = tuple(int(code.max()) + 1 for code in codes.T)
    columns = Columns(task, names, coded, many, CLASSES[task], None if where is None else what)
    return Rows(columns, numbers.astype(np.float32), codes.astype(np.int32), label.astype(np.float64), where)


def held(pool: Rows, scores: NDArray[np.float64]) -> Held:
    return Held(pool.label, scores, np.arange(len(pool)))


def fits(candidate: CandidateName, sizes: Sequence[int], seconds: Sequence[float]) -> list[Fit]:
    return [
        Fit(
            candidate=candidate,
            phase="size",
            fold=0,
            rows=size,
            values={},
            metrics={"rmse": 1.0},
            seconds=second,
            processor_seconds=second,
            peak_memory_bytes=1,
        )
        for size, second in zip(sizes, seconds, strict=True)
    ]
