"""How many predictions are timed, and what is said where they were too few."""

import time
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.candidates.latency import BATCH_ROWS, ENOUGH, FEWEST, LONGEST, MOST, SECONDS, is_over, latency, too_few
from models.candidates.rows import Rows
from models.evaluation.metrics import Floats
from tests.models.candidates.made import signal

ROWS = signal("regression", 60)


@dataclass
class Slow:
    """A fitted candidate that takes so many seconds for a row alone, and none for a batch."""

    seconds: float
    sizes: list[int] = field(default_factory=list)

    def predict(self, rows: Rows) -> Floats:
        """Give zeros."""
        self.sizes.append(len(rows))
        if len(rows) == 1:
            time.sleep(self.seconds)
        return np.zeros(len(rows))


def test_what_is_quick_is_timed_as_often_as_is_wanted() -> None:
    fitted = Slow(0)
    found = latency(fitted, ROWS)
    assert (found.one_predictions, found.batch_predictions) == (MOST, MOST)
    assert fitted.sizes.count(1) == MOST + 1  # one to warm up
    assert fitted.sizes.count(BATCH_ROWS) == MOST + 1
    assert 0 < found.one_p50_seconds <= found.one_p99_seconds
    assert 0 < found.batch_p50_seconds <= found.batch_p99_seconds
    assert too_few(found) == ""


def test_what_is_slower_gets_the_time_for_a_99th_percentile() -> None:
    slow = 1.5 * SECONDS / ENOUGH
    found = latency(Slow(slow), ROWS)
    assert found.one_predictions == ENOUGH
    assert found.one_p50_seconds <= found.one_p99_seconds


def test_what_is_too_slow_for_a_99th_percentile_has_none_and_it_is_said() -> None:
    slow = 1.5 * LONGEST["one"] / ENOUGH
    found = latency(Slow(slow), ROWS)
    assert FEWEST <= found.one_predictions < ENOUGH
    assert found.one_p50_seconds >= slow
    assert found.one_p99_seconds is None
    assert found.batch_p99_seconds is not None
    assert f"so {found.one_predictions} were timed, and a 99th percentile takes 100 in 5 s at most" in too_few(found)


@given(st.floats(1e-6, 2), st.sampled_from([*LONGEST.values()]))
def test_the_time_is_bounded_and_there_are_enough_where_it_allows_them(each: float, longest: float) -> None:
    done = next(done for done in range(MOST + 1) if done == MOST or is_over(done, done * each, longest))
    assert done * each <= max(longest, FEWEST * each) + each
    if ENOUGH * each <= longest:
        assert done >= ENOUGH
    if MOST * each <= SECONDS:
        assert done == MOST
