"""Whole contests, a network among all others, on rows that are as odd as those of real tables."""

from pathlib import Path

import numpy as np
import pytest

from conf.columns import RESERVED_CODES
from conf.selecting import REPORT, Findings
from models.candidates.rows import Rows
from tests.models.candidates.contests import contest_request, found, made_rows, mlp, write_rows

GENERATOR = np.random.default_rng(0)


def odd_columns() -> Rows:
    """A constant, a column twice, and ten thousand categories."""
    signal = GENERATOR.normal(size=1500)
    numbers = np.stack([signal, signal, np.ones(1500), GENERATOR.normal(size=1500)], axis=1)
    codes = np.r_[GENERATOR.integers(0, 10_000, 1499), 9_999][:, None] + RESERVED_CODES
    return made_rows("binary", signal + GENERATOR.normal(size=1500) > 0, numbers, codes)


def more_classes_than_rows() -> Rows:
    """A hundred classes, most of which no row has."""
    label = np.r_[GENERATOR.integers(0, 3, 79), 99]
    return made_rows("multiclass", label, label[:, None] + GENERATOR.normal(0, 0.1, size=(80, 2)))


@pytest.mark.soak
@pytest.mark.parametrize(("rows", "least"), [(odd_columns, 9), (more_classes_than_rows, 6)])
def test_a_contest_on_odd_rows_says_of_everybody_what_became_of_it(rows: object, least: int, tmp_path: Path) -> None:
    write_rows(tmp_path / "set", rows())  # type: ignore[operator] -- one of two functions
    request = contest_request(tmp_path / "set", tmp_path / "run", budget_seconds=120, memory="1g")
    findings = found(request.model_copy(update={"networks": [mlp(tmp_path / "set", tmp_path / "run")]}))
    assert {"mlp", "lightgbm", "ridge"} <= {each.candidate for each in findings.standings}
    assert len(through(findings)) >= least
    for each in findings.standings:
        assert each.test or any(note.startswith(f"{each.candidate} fell out: ") for note in findings.notes)
    best = next(each for each in findings.standings if each.candidate == findings.recommendation.candidate)
    assert best.family != "baseline"
    assert (tmp_path / "run" / REPORT).stat().st_size > 10_000


def through(findings: Findings) -> list[str]:
    """Those that got to the end."""
    return [each.candidate for each in findings.standings if each.test]
