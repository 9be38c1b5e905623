"""What stages tell a person: of a table, and of a rank that was slowed."""

from pathlib import Path

from conf.fault import Fault
from flows.stages import slowed, told
from tests.feature_sets import write_feature_set


def test_what_was_inferred_and_quarantined_is_told_the_most_frequent_first(tmp_path: Path) -> None:
    manifest = write_feature_set(tmp_path, "binary", 400).model_copy(
        update={
            "inferred": {"task": "binary", "a": "numeric", "b": "numeric", "day": "categorical: looks like a date"},
            "quarantined": {"rare": 1, "'a' is not a number": 1200, "odd": 2, "second": 30},
        }
    )
    assert told(manifest, tmp_path) == [
        "  task inferred: binary",
        "  numeric inferred: a, b",
        "  categorical inferred: day (looks like a date)",
        (
            f"  quarantined: 1,200 'a' is not a number, 30 second, 2 odd and 1 more reason; "
            f"the rows are in {tmp_path / 'quarantine'}"
        ),
    ]


def test_a_rank_that_is_slow_on_purpose_is_told() -> None:
    assert slowed(Fault(), {}) == []
    fault = Fault(slow_rank=1, slow_factor=3)
    assert slowed(fault, {}) == ["  fault: rank 1 took 3 times as long on purpose"]
    (line,) = slowed(fault, {"rank_1_rows_share": 0.23, "idle_share": 0.021})
    assert line.endswith("; it had 23% of the rows, and ranks waited 2% of their time")
