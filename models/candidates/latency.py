"""How long a prediction takes that somebody waits for."""

import time
from collections.abc import Callable

import numpy as np

from conf.selecting import Latency
from models.candidates.candidate import Fitted
from models.candidates.rows import Rows
from models.evaluation.metrics import Floats

BATCH_ROWS = 1024
MOST, FEWEST = 400, 5  # predictions; fewest: of what is so slow that the time is over
ENOUGH = 100  # for a 99th percentile; of fewer it is all but the longest
SECONDS = 1.0  # in which as many as there is time for are timed
LONGEST = {"one": 5.0, "batch": 2.0}  # seconds that it may take until they are enough


def latency(fitted: Fitted, rows: Rows) -> Latency:
    """Measure predictions of one row, another one each time, and of a batch of `BATCH_ROWS` rows, each after a warm-up.

    A model is to be in the process alone, with one thread, as it is served; `rows` are turned into what its library
    wants within the time that counts. Each of both takes a second, and goes on up to `LONGEST` if then there are
    `ENOUGH` for a 99th percentile; if it is clear by then that there won't be, there is none.

    Args:
        fitted: as it was loaded.
        rows: at least one; fewer than a batch are repeated.

    """
    places = np.arange(max(MOST, BATCH_ROWS)) % len(rows)
    ones = [rows.take(places[place : place + 1]) for place in range(MOST)]
    batch = rows.take(places[:BATCH_ROWS])
    one = _times(fitted, lambda turn: ones[turn], LONGEST["one"])
    many = _times(fitted, lambda _: batch, LONGEST["batch"]) / BATCH_ROWS
    return Latency(
        one_p50_seconds=float(np.percentile(one, 50)),
        one_p99_seconds=_p99(one),
        one_predictions=len(one),
        batch_rows=BATCH_ROWS,
        batch_p50_seconds=float(np.percentile(many, 50)),
        batch_p99_seconds=_p99(many),
        batch_predictions=len(many),
    )


def too_few(latency: Latency) -> str:
    """Why there is no 99th percentile of one row, for people; empty: there is one."""
    if latency.one_p99_seconds is not None:
        return ""
    return (
        f"a row takes {latency.one_p50_seconds:.2g} s, so {latency.one_predictions} were timed, and a 99th percentile "
        f"takes {ENOUGH} in {LONGEST['one']:g} s at most"
    )


def _p99(times: Floats) -> float | None:
    return float(np.percentile(times, 99)) if len(times) >= ENOUGH else None


def _times(fitted: Fitted, rows: Callable[[int], Rows], longest: float) -> Floats:
    fitted.predict(rows(0))
    found: list[float] = []
    begun = time.perf_counter()
    for turn in range(MOST):
        started = time.perf_counter()
        if is_over(turn, started - begun, longest):
            break
        fitted.predict(rows(turn))
        found.append(time.perf_counter() - started)
    return np.array(found)


def is_over(done: int, seconds: float, longest: float) -> bool:
    """Whether enough is timed, or what is so slow won't be timed often enough in `longest` seconds.

    Args:
        done: predictions so far.
        seconds: that they took.
        longest: that they may take.

    """
    if seconds <= SECONDS or done < FEWEST:
        return False
    return done >= ENOUGH or seconds * ENOUGH / done > longest
