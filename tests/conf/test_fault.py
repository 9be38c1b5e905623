"""What goes wrong on purpose."""

import pytest

from conf.compose import compose
from conf.errors import FranklinError
from conf.fault import Fault


def test_nothing_goes_wrong_unless_it_is_said() -> None:
    assert compose("flights_delay").fault == Fault()
    Fault().check(1)


def test_a_slow_rank_has_to_be_one_of_the_ranks() -> None:
    fault = compose("flights_delay", ["fault.slow_rank=1", "fault.slow_factor=3"]).fault
    fault.check(2)
    with pytest.raises(FranklinError, match=r"^fault.slow_rank=1: of 1 rank, there is only 0$"):
        fault.check(1)
    with pytest.raises(FranklinError, match=r"^fault.slow_rank=4: of 4 ranks, the last one is 3$"):
        Fault(slow_rank=4, slow_factor=3).check(4)


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("fault.slow_rank=1", r"^fault: slow_rank=1 alone slows nothing; say fault.slow_factor as well$"),
        ("fault.slow_factor=3", r"^fault: slow_factor=3 alone slows nothing; say fault.slow_rank as well$"),
        ("fault.slow_factor=0.5", r"^fault.slow_factor: must be greater than or equal to 1, not 0.5"),
        ("fault.slow_rnak=1", r"did you mean 'fault.slow_rank'"),
    ],
)
def test_half_a_fault_is_a_mistake(said: str, line: str) -> None:
    with pytest.raises(FranklinError, match=line):
        compose("flights_delay", [said])
