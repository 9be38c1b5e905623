"""Planted truths: the recommendation is right for at least 19 of 20 seeds."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from conf.contests import Family
from models.candidates.rows import Rows
from tests.models.candidates.contests import contest_request, found, made_rows, mlp, write_rows

SEEDS, RIGHT = 20, 19
ROWS = 2000


def linear(generator: np.random.Generator) -> Rows:
    """A plane, with noise as large as the signal."""
    numbers = generator.normal(size=(ROWS, 6))
    signal = numbers @ generator.normal(size=6)
    return made_rows("regression", signal + signal.std() * generator.normal(size=ROWS), numbers)


def trees(generator: np.random.Generator) -> Rows:
    """Boxes: no line says anything of products of signs, and thresholds say all."""
    numbers = generator.uniform(-1, 1, size=(ROWS, 4))
    box = (numbers[:, 0] > 0.2) ^ (numbers[:, 1] > -0.1)
    return made_rows("binary", box ^ (generator.random(ROWS) < 0.1), numbers)


def network(generator: np.random.Generator) -> Rows:
    """Waves along directions that are no column's: a tree needs many steps for what a layer turns to first."""
    numbers = generator.normal(size=(ROWS, 8))
    along = numbers @ generator.normal(size=(8, 3)) / np.sqrt(8)
    signal = np.sin(2 * along[:, 0]) + np.cos(2 * along[:, 1]) * along[:, 2]
    return made_rows("regression", signal + 0.1 * generator.normal(size=ROWS), numbers)


def nothing(generator: np.random.Generator) -> Rows:
    """Numbers that the label has nothing to do with."""
    return made_rows("regression", generator.normal(size=ROWS), generator.normal(size=(ROWS, 6)))


@pytest.mark.soak
@pytest.mark.parametrize(
    ("truth", "families"),
    [(linear, {"linear"}), (trees, {"tree", "boosting"}), (network, {"network"}), (nothing, {"baseline"})],
    ids=["linear", "trees", "network", "nothing"],
)
def test_a_planted_truth_is_found(
    truth: Callable[[np.random.Generator], Rows],
    families: set[Family],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    right, wrong = 0, []
    for seed in range(SEEDS):
        write_rows(tmp_path / f"set{seed}", truth(np.random.default_rng(seed)))
        request = contest_request(tmp_path / f"set{seed}", tmp_path / f"run{seed}", seed, folds=5, budget_seconds=120)
        request = request.model_copy(update={"networks": [mlp(tmp_path / f"set{seed}", tmp_path / f"run{seed}")]})
        findings = found(request)
        chosen = findings.recommendation.candidate
        family = next(each.family for each in findings.standings if each.candidate == chosen)
        right += family in families
        wrong += [] if family in families else [(seed, chosen, findings.recommendation.why)]
    record_property("right", f"{right} of {SEEDS}; not {wrong}")
    assert right >= RIGHT, wrong
