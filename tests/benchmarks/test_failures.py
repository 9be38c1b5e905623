"""A failed engine says why in a few lines, whatever its log is full of."""

import sys
from pathlib import Path

import pytest

from benchmarks.by_hand import call
from benchmarks.failures import complaint
from conf.exchange import LandRequest, PrepareResult
from tests.spark_jobs.conftest import SPARK, table_data

FRAMES = "".join(f"\tat org.apache.spark.Job{i}.run(Job.scala:{i})\n" for i in range(500))
TRACE = (
    "WARN: an incubator\njava.lang.OutOfMemoryError: Java heap space\n"
    + FRAMES
    + "\t... 7 more\nCaused by: java.io.IOException: No space left on device\n"
    + FRAMES
)


def test_the_lines_that_matter_are_found_among_frames() -> None:
    assert complaint(TRACE).splitlines() == [
        "java.lang.OutOfMemoryError: Java heap space",
        "Caused by: java.io.IOException: No space left on device",
        "WARN: an incubator",
    ]
    python = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    raise KeyError(1)\nKeyError: 1\n'
    assert complaint(python) == "KeyError: 1\nTraceback (most recent call last):"
    assert complaint("began\nwent on\n") == "began\nwent on"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (f"import sys; sys.stderr.write({TRACE!r}); sys.exit(1)", "java.lang.OutOfMemoryError: Java heap space"),
        ("open({answer!r}, 'w').write('{{\"error\": \"there is no column y\"}}'); raise SystemExit(1)", "no column y"),
    ],
)
def test_a_failed_engine_says_why(tmp_path: Path, script: str, said: str) -> None:
    answer = tmp_path / "answer.json"
    request = LandRequest(answer=answer, data=table_data(tmp_path), spark=SPARK, days=str(tmp_path))
    command = [sys.executable, "-c", script.format(answer=str(answer)) if "{answer" in script else script]
    with pytest.raises(RuntimeError, match=said) as caught:
        call(command, request, PrepareResult)
    assert "\tat " not in str(caught.value)
