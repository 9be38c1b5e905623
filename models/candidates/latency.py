"""How long a prediction takes that somebody waits for."""

import time
from collections.abc import Callable

import numpy as np

from conf.selecting import Latency
from models.candidates.candidate import Fitted
from models.candidates.rows import Rows
from models.evaluation.metrics import Floats

BATCH_ROWS = 1024
REPETITIONS, FEWEST = 400, 5  # fewest: of what is so slow that the time is over
SECONDS = 1.0  # for each, at most


def latency(fitted: Fitted, rows: Rows) -> Latency:
    """Measure predictions of one row, another one each time, and of a batch of `BATCH_ROWS` rows, each after a warm-up.

    A model is to be in the process alone, with one thread, as it is served; `rows` are turned into what its library
    wants within the time that counts.

    Args:
        fitted: as it was loaded.
        rows: at least one; fewer than a batch are repeated.

    """
    places = np.arange(max(REPETITIONS, BATCH_ROWS)) % len(rows)
    ones = [rows.take(places[place : place + 1]) for place in range(REPETITIONS)]
    batch = rows.take(places[:BATCH_ROWS])
    one, many = _times(fitted, lambda turn: ones[turn]), _times(fitted, lambda _: batch) / BATCH_ROWS
    return Latency(
        one_p50_seconds=float(np.percentile(one, 50)),
        one_p99_seconds=float(np.percentile(one, 99)),
        batch_rows=BATCH_ROWS,
        batch_p50_seconds=float(np.percentile(many, 50)),
        batch_p99_seconds=float(np.percentile(many, 99)),
    )


def _times(fitted: Fitted, rows: Callable[[int], Rows]) -> Floats:
    fitted.predict(rows(0))
    found, over = [], time.perf_counter() + SECONDS
    for turn in range(REPETITIONS):
        started = time.perf_counter()
        if started > over and turn >= FEWEST:
            break
        fitted.predict(rows(turn))
        found.append(time.perf_counter() - started)
    return np.array(found)
