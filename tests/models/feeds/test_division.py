"""Who takes which rows of a step."""

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.feeds.division import Even, Portions
from models.feeds.feed import Feed
from tests.models.feeds.numbered import numbered, rows_of, source

WEIGHTS = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=6)


@given(WEIGHTS, st.integers(0, 500))
def test_portions_are_as_they_are_said_and_nobody_goes_without(weights: list[float], rows: int) -> None:
    ranks = len(weights)
    parts = []
    for rank in range(ranks):
        portions = Portions(rank, ranks)
        portions.change(weights)
        parts.append(portions.part(0, rows))
    assert (parts[0][0], parts[-1][1]) == (0, rows)
    assert all(one[1] == other[0] for one, other in pairwise(parts))
    if rows >= ranks:
        for weight, (low, high) in zip(weights, parts, strict=True):
            assert high > low
            assert high - low == pytest.approx(1 + (rows - ranks) * weight / sum(weights), abs=1.01)


@given(st.integers(1, 6), st.integers(0, 500))
def test_portions_begin_as_even_as_can_be(ranks: int, rows: int) -> None:
    sizes = [high - low for low, high in (Portions(rank, ranks).part(0, rows) for rank in range(ranks))]
    assert sum(sizes) == rows
    assert max(sizes) - min(sizes) <= 2
    evenly = [high - low for low, high in (Even(rank, ranks).part(0, rows) for rank in range(ranks))]
    assert max(evenly) - min(evenly) <= 1


@settings(max_examples=40)
@given(st.lists(WEIGHTS.filter(lambda weights: len(weights) == 3), min_size=1, max_size=5), st.integers(6, 40))
def test_every_row_once_with_its_weight_however_portions_change(changes: list[list[float]], batch_size: int) -> None:
    ranks, rows = 3, 131
    with TemporaryDirectory() as folder:
        manifest = numbered(Path(folder), [[50, 31], [50]])
        portions = [Portions(rank, ranks) for rank in range(ranks)]
        feeds = [
            Feed(
                source("mapped", folder, manifest),
                batch_size=batch_size,
                shuffle=True,
                rank=rank,
                world_size=ranks,
                division=portions[rank],
            )
            for rank in range(ranks)
        ]
        alone = iter(Feed(source("mapped", folder, manifest), batch_size=batch_size, shuffle=True))
        seen: list[int] = []
        for step, batches in enumerate(zip(*feeds, strict=True)):
            together = [row for batch in batches for row in rows_of(batch)]
            assert together == rows_of(next(alone))  # a step has the same rows as ever
            for batch in batches:
                assert batch.weight == pytest.approx(ranks * len(batch.label) / len(together))
            seen += together
            for each in portions:
                each.change(changes[step % len(changes)])
    assert sorted(seen) == list(range(rows))
    states = [feed.state_dict() for feed in feeds]
    assert all(state == states[0] for state in states)
