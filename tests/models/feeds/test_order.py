"""Every row of an epoch once, whatever happens on the way: held over units, ranks, batches, windows and cuts."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.feeds import units
from models.feeds.order import Leg, Order, Share, ceil_div
from models.feeds.units import Even, Listed

SIZES = st.lists(st.integers(1, 23), min_size=1, max_size=8)
LEGS = st.lists(st.builds(Leg, st.integers(1, 5), st.integers(1, 40), st.just(0)), min_size=1, max_size=4)
HOW = st.fixed_dictionaries({"shuffle": st.booleans(), "shared": st.booleans()})


def rows(order: Order, share: Share, step: int = 0, *, shuffle: bool = True) -> list[int]:
    """Row numbers of a rank from its batch number `step` on."""
    found = []
    for visit in order.visits(share, step):
        window = order.rows(visit.start, visit.stop)
        found += (window[visit.permutation()] if shuffle else window)[visit.low : visit.high].tolist()
    return found


def steps(share: Share) -> list[int]:
    """Rows of each of a rank's batches."""
    return [high - low for low, high in pairwise(map(share.cut, range(share.steps + 1)))]


@given(SIZES, LEGS, st.integers(1, 60), HOW, st.data())
def test_every_row_once_also_when_ranks_and_batches_change_in_the_middle(
    sizes: list[int], legs: list[Leg], window: int, how: dict[str, bool], data: st.DataObject
) -> None:
    total, begun, seen = sum(sizes), [], []
    seed, epoch = data.draw(st.integers(0, 3)), data.draw(st.integers(0, 3))
    legs[0] = legs[0]._replace(world_size=min(legs[0].world_size, total))
    for number, leg in enumerate(legs):
        begun.append(leg)
        order = Order(Listed(sizes), seed=seed, epoch=epoch, window_rows=window, legs=begun, **how)
        left, rest = order.steps, total - len(seen)
        cut = data.draw(st.integers(0, left - 1)) if number + 1 < len(legs) else left
        for share in order.shares:
            assert share.steps == left
            sizes_of_batches = steps(share)
            assert max(sizes_of_batches) - min(sizes_of_batches) <= 1
            ranks = leg.world_size // len(order.shares)  # that take their parts of it
            assert max(sizes_of_batches) <= ranks * max(ceil_div(leg.batch_size, leg.world_size), 2)
            assert min(sizes_of_batches) >= (ranks if rest >= leg.world_size else 0)
        taken = [rows(order, share, shuffle=how["shuffle"])[: share.cut(cut)] for share in order.shares]
        seen += [row for one in taken for row in one]
        begun[-1] = leg._replace(step=cut)
    assert sorted(seen) == list(range(total))
    if not how["shuffle"] and len(legs) == 1:
        assert seen == list(range(total))


@given(SIZES, LEGS, st.integers(1, 60), HOW, st.data())
def test_a_rank_goes_on_at_any_batch(
    sizes: list[int], legs: list[Leg], window: int, how: dict[str, bool], data: st.DataObject
) -> None:
    legs[0] = legs[0]._replace(world_size=min(legs[0].world_size, sum(sizes)))
    order = Order(Listed(sizes), seed=1, epoch=2, window_rows=window, legs=legs, **how)
    share = data.draw(st.sampled_from(order.shares))
    step = data.draw(st.integers(0, order.steps))
    everything = rows(order, share, shuffle=how["shuffle"])
    assert rows(order, share, step, shuffle=how["shuffle"]) == everything[share.cut(step) :]


@given(st.integers(1, 700), st.integers(1, 9), st.integers(1, 12), LEGS, st.booleans())
def test_even_units_drawn_in_several_shares_give_every_row_once(
    total: int, size: int, drawn: int, legs: list[Leg], shuffle: bool
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(units, "MOST_DRAWN", drawn)
        first = legs[0]._replace(world_size=min(legs[0].world_size, total))
        order = Order(Even(total, size), seed=1, epoch=1, shuffle=shuffle, window_rows=50, legs=[first], shared=False)
        seen = [row for share in order.shares for row in rows(order, share, shuffle=shuffle)]
        assert sorted(seen) == list(range(total))
        if shuffle and total > 20 * size > 20:
            assert seen != list(range(total))


def test_order_depends_on_seed_and_epoch_alone() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        legs = [Leg(1, 16, 0)]
        given = Order(Even(512, 64), seed=seed, epoch=epoch, shuffle=True, window_rows=128, legs=legs, shared=True)
        return rows(given, given.shares[0])

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1)
    assert order(1, 0) != order(2, 0)


def test_neighbours_are_torn_apart() -> None:
    """Of 16,384 rows in chunks of 64, hardly any is still followed by the one that followed it."""
    legs = [Leg(1, 256, 0)]
    order = Order(Even(16_384, 64), seed=3, epoch=0, shuffle=True, window_rows=16_384, legs=legs, shared=True)
    pairs = sum(b == a + 1 for a, b in pairwise(rows(order, order.shares[0])))
    assert pairs <= 8
