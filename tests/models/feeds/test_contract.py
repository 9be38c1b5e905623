"""What every feed promises, held over rows, row groups, ranks, batches, seeds, epochs and cuts."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.manifest import Manifest
from models.feeds.feed import Feed
from models.feeds.order import ceil_div
from tests.models.feeds.numbered import LAYOUTS, Case, flat, numbered, numbers, source


@st.composite
def cases(draw: st.DrawFn) -> Case:
    row_groups = draw(st.lists(st.lists(st.integers(1, 23), min_size=1, max_size=4), min_size=1, max_size=3))
    rows = sum(map(sum, row_groups))
    return {
        "layout": draw(st.sampled_from(LAYOUTS)),
        "row_groups": row_groups,
        "rows": rows,
        "world_size": draw(st.integers(1, min(rows, 5))),
        "batch_size": draw(st.integers(1, 40)),
        "memory": draw(st.integers(16, 4000)),  # bytes; a row has 16
        "seed": draw(st.integers(0, 3)),
        "shuffle": draw(st.booleans()),
    }


def feeds(folder: str, manifest: Manifest, case: Case, **changes: int) -> Iterator[Feed]:
    chosen = {key: case[key] for key in ("world_size", "batch_size", "seed", "shuffle")} | changes
    for rank in range(chosen["world_size"]):
        yield Feed(source(case["layout"], folder, manifest, memory=case["memory"]), rank=rank, **chosen)


@settings(max_examples=80)
@given(cases(), st.integers(0, 2))
def test_every_row_once_in_equal_steps_of_even_batches(case: Case, epoch: int) -> None:
    with TemporaryDirectory() as folder:
        manifest = numbered(Path(folder), case["row_groups"])
        ranks = []
        for feed in feeds(folder, manifest, case):
            feed.set_epoch(epoch)
            batches = numbers(iter(feed))
            sizes = [len(batch) for batch in batches]
            assert len(batches) == len(feed)
            assert max(sizes) - min(sizes) <= 1
            assert min(sizes) >= 1
            assert max(sizes) <= max(ceil_div(case["batch_size"], case["world_size"]), 2)
            ranks.append(batches)
    assert len({len(batches) for batches in ranks}) == 1
    together = "mapped" in case["layout"]
    seen = [row for batches in (zip(*ranks, strict=True) if together else ranks) for row in flat(batches)]
    assert sorted(seen) == list(range(case["rows"]))
    if not case["shuffle"]:
        assert seen == list(range(case["rows"]))


@settings(max_examples=60)
@given(cases(), st.integers(1, 5), st.integers(0, 2))
def test_steps_of_the_mapped_layout_are_the_same_for_any_number_of_ranks(case: Case, ranks: int, epoch: int) -> None:
    case |= {"layout": "mapped"}
    ranks = min(ranks, case["rows"])
    with TemporaryDirectory() as folder:
        manifest = numbered(Path(folder), case["row_groups"])
        steps = []
        for world_size in (case["world_size"], ranks):
            given = list(feeds(folder, manifest, case, world_size=world_size))
            for feed in given:
                feed.set_epoch(epoch)
            steps.append([flat(batches) for batches in zip(*map(numbers, map(iter, given)), strict=True)])
    if max(case["world_size"], ranks) <= case["batch_size"] // 2:  # else fewer steps, so that every rank has a row
        assert steps[0] == steps[1]


@settings(max_examples=60)
@given(cases(), st.integers(1, 5), st.data())
def test_the_mapped_layout_goes_on_with_the_same_steps_over_other_ranks(
    case: Case, ranks: int, data: st.DataObject
) -> None:
    case |= {"layout": "mapped"}
    ranks = min(ranks, case["rows"])
    with TemporaryDirectory() as folder:
        manifest = numbered(Path(folder), case["row_groups"])
        whole = next(feeds(folder, manifest, case, world_size=1))
        expected = numbers(iter(whole))
        before = next(feeds(folder, manifest, case))
        cut = data.draw(st.integers(0, len(before) - 1))
        list(islice(iter(before), cut))
        after = list(feeds(folder, manifest, case, world_size=ranks))
        for feed in after:
            feed.load_state_dict(before.state_dict())
        rest = [flat(batches) for batches in zip(*map(numbers, map(iter, after)), strict=True)]
    if max(case["world_size"], ranks) <= case["batch_size"] // 2:
        assert rest == expected[cut:]


@settings(max_examples=60)
@given(cases())
def test_weights_make_the_mean_over_ranks_that_of_the_rows(case: Case) -> None:
    with TemporaryDirectory() as folder:
        manifest = numbered(Path(folder), case["row_groups"])
        for batches in zip(*feeds(folder, manifest, case), strict=True):
            rows = sum(len(batch.label) for batch in batches)
            weighted = sum(float(batch.label.double().mean()) * batch.weight for batch in batches) / len(batches)
            assert weighted == pytest.approx(sum(float(batch.label.double().sum()) for batch in batches) / rows)


@settings(max_examples=60)
@given(cases(), st.data())
def test_resumes_at_the_next_unseen_batch(case: Case, data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        manifest = numbered(Path(folder), case["row_groups"])
        rank = data.draw(st.integers(0, case["world_size"] - 1))
        feed, other, resumed = (list(feeds(folder, manifest, case))[rank] for _ in range(3))
        two_epochs = numbers(iter(feed)) + numbers(iter(feed))
        cut = data.draw(st.integers(0, len(feed)))
        started = numbers(islice(iter(other), cut))
        resumed.load_state_dict(other.state_dict())
        rest = numbers(iter(resumed))
        assert started + rest == two_epochs[: cut + len(rest)]
        assert len(rest) == (len(feed) - cut or len(feed))  # after a whole epoch comes the next


@settings(max_examples=60)
@given(cases(), st.integers(1, 5), st.integers(1, 40), st.data())
def test_resumes_with_another_number_of_ranks(case: Case, ranks: int, batch_size: int, data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        manifest = numbered(Path(folder), case["row_groups"])
        before = list(feeds(folder, manifest, case))
        cut = data.draw(st.integers(0, len(before[0]) - 1))
        seen = [row for feed in before for batch in numbers(islice(iter(feed), cut)) for row in batch]
        (state,) = {str(feed.state_dict()): feed.state_dict() for feed in before}.values()  # the same on each rank
        ranks = min(ranks, case["rows"])
        after = list(feeds(folder, manifest, case, world_size=ranks, batch_size=batch_size))
        counts = set()
        for feed in after:
            feed.load_state_dict(state)
            batches = numbers(iter(feed))
            counts.add(len(batches))
            seen += [row for batch in batches for row in batch]
            assert feed.state_dict()["epoch"] == 1
        assert len(counts) == 1
        assert sorted(seen) == list(range(case["rows"]))
