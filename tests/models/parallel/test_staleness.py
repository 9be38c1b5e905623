"""How late gradients may be."""

from hypothesis import given
from hypothesis import strategies as st

from models.parallel.staleness import Histogram, may_update


def test_with_two_ranks_one_may_go_ahead_of_the_other_as_far_as_it_is_said() -> None:
    assert may_update(7, [4], most=4)
    assert not may_update(8, [4], most=4)
    assert may_update(8, [], most=1)  # nobody else is at work


@given(st.integers(2, 6), st.integers(0, 3), st.data())
def test_no_gradient_is_too_late_and_nobody_waits_for_ever(ranks: int, room: int, data: st.DataObject) -> None:
    most, updates = ranks - 1 + room, 0
    working, waiting = dict.fromkeys(range(ranks), 0), dict[int, int]()
    for _ in range(40):
        free = [rank for rank in waiting if may(rank, updates, working | waiting, most)]
        assert free or working  # else all wait for one another
        if free and (not working or data.draw(st.booleans())):
            rank = data.draw(st.sampled_from(free))
            assert 0 <= updates - waiting.pop(rank) <= most
            updates += 1
            working[rank] = updates
        else:
            rank = data.draw(st.sampled_from(sorted(working)))
            waiting[rank] = working.pop(rank)


def may(rank: int, updates: int, held: dict[int, int], most: int) -> bool:
    return may_update(updates, [taken for other, taken in held.items() if other != rank], most)


def test_the_histogram_counts_from_none_to_the_most() -> None:
    late = Histogram(3)
    assert (late.mean, late.most) == (0, 0)
    for number in (0, 2, 2):
        late.add(number)
    assert late.counts == [1, 0, 2, 0]
    assert (round(late.mean, 3), late.most) == (1.333, 2)
