"""What the prepare stage tells a person about a table."""

from pathlib import Path

from flows.stages import told
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
