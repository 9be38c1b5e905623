"""Ranks that step alone, on real ranks: what they exchange, and when."""

from pathlib import Path

import pytest

from tests.models import launch

pytestmark = pytest.mark.distributed


@pytest.mark.parametrize("ranks", [2, pytest.param(3, marks=pytest.mark.soak)])
def test_ranks_come_together_as_the_paper_has_it(ranks: int) -> None:
    cases = ("averaging_each_step_is_one_process", "outer_steps_are_those_of_algorithm_1")
    launch.together("tests.models.parallel.loose", ranks, *cases)


@pytest.mark.parametrize("ranks", [2, pytest.param(4, marks=pytest.mark.soak)])
def test_whoever_is_free_takes_the_next_batch_and_nobody_takes_it_again(ranks: int, tmp_path: Path) -> None:
    for rank in range(ranks):
        (tmp_path / str(rank)).mkdir()
    launch.together("tests.models.parallel.loose", ranks, f"a_free_rank_takes_the_next_batch={tmp_path}")
