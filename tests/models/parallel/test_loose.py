"""Ranks that step alone, on real ranks: what they exchange, and when."""

import pytest

from tests.models import launch

pytestmark = pytest.mark.distributed


@pytest.mark.parametrize("ranks", [2, pytest.param(3, marks=pytest.mark.soak)])
def test_ranks_come_together_as_the_paper_has_it(ranks: int) -> None:
    cases = ("averaging_each_step_is_one_process", "outer_steps_are_those_of_algorithm_1")
    launch.together("tests.models.parallel.loose", ranks, *cases)
