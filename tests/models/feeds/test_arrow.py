"""The feed's contract, held over rows, row groups, ranks, batch sizes, seeds, epochs and cut points."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.errors import FranklinError
from conf.manifest import Categorical, DataFile, Label, Manifest, Numeric, Split
from models.feeds.arrow import ArrowFeed
from models.feeds.batch import Batch
from tests.feature_sets import write_feature_set

Case = dict[str, Any]


def numbered(folder: Path, row_groups: list[list[int]]) -> Manifest:
    """A feature set whose rows are numbered 0, 1, 2, ... in every column, in files of these row groups."""
    start, files = 0, []
    (folder / "train").mkdir()
    for index, groups in enumerate(row_groups):
        path = f"train/{index}.parquet"
        schema = pa.schema({"x": pa.float32(), "c": pa.int32(), "y": pa.float32()})
        with pq.ParquetWriter(folder / path, schema) as writer:
            for rows in groups:
                numbers = range(start, start + rows)
                writer.write_table(pa.table({name: list(numbers) for name in schema.names}, schema), rows)
                start += rows
        files.append(DataFile(path=path, row_groups=groups))
    return Manifest(
        name="numbered",
        task="regression",
        label=Label(name="y", classes=[], prior=[], mean=0, scale=1),
        columns=[
            Numeric(name="x", mean=0, scale=1, indicator=False),
            Categorical(name="c", vocabulary=[str(i) for i in range(start)]),
        ],
        splits={"train": Split(files=files)},
        holdout=[],
        rows_in=start,
        quarantined={},
        set_aside={},
        inferred={},
        example=[],
        inputs=[],
        fingerprint="numbered",
        created="2026-01-01T00:00:00+00:00",
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    row_groups = draw(st.lists(st.lists(st.integers(1, 23), min_size=1, max_size=4), min_size=1, max_size=3))
    rows = sum(map(sum, row_groups))
    return {
        "row_groups": row_groups,
        "rows": rows,
        "world_size": draw(st.integers(1, min(rows, 5))),
        "batch_size": draw(st.integers(1, 40)),
        "buffer_rows": draw(st.integers(1, 60)),
        "seed": draw(st.integers(0, 3)),
        "shuffle": draw(st.booleans()),
    }


def feeds(folder: str, manifest: Manifest, case: Case) -> Iterator[ArrowFeed]:
    chosen = {key: case[key] for key in ("world_size", "batch_size", "buffer_rows", "seed", "shuffle")}
    for rank in range(case["world_size"]):
        yield ArrowFeed(folder, manifest, "train", rank=rank, **chosen)


def numbers(batches: Iterator[Batch]) -> list[list[int]]:
    return [batch.label.int().tolist() for batch in batches]


@settings(max_examples=80, deadline=None)
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
            assert max(sizes) <= max(case["batch_size"], 2)
            ranks.append(batches)
    assert len({len(batches) for batches in ranks}) == 1
    seen = [row for batches in ranks for batch in batches for row in batch]
    assert sorted(seen) == list(range(case["rows"]))
    if not case["shuffle"]:
        assert seen == list(range(case["rows"]))


@settings(max_examples=60, deadline=None)
@given(cases(), st.data())
def test_resumes_at_the_next_unseen_batch(case: Case, data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        manifest = numbered(Path(folder), case["row_groups"])
        for feed, other in zip(feeds(folder, manifest, case), feeds(folder, manifest, case), strict=True):
            two_epochs = numbers(iter(feed)) + numbers(iter(feed))
            cut = data.draw(st.integers(0, len(feed)))
            started = numbers(islice(iter(other), cut))
            resumed = next(fresh for rank, fresh in enumerate(feeds(folder, manifest, case)) if rank == feed._key[1])
            resumed.load_state_dict(other.state_dict())
            rest = numbers(iter(resumed))
            assert started + rest == two_epochs[: cut + len(rest)]
            assert len(rest) == (len(feed) - cut or len(feed))  # after a whole epoch comes the next


def test_order_depends_on_seed_and_epoch_alone(tmp_path: Path) -> None:
    manifest = numbered(tmp_path, [[50, 50], [50, 50]])

    def order(seed: int, epoch: int) -> list[list[int]]:
        feed = ArrowFeed(str(tmp_path), manifest, "train", batch_size=16, buffer_rows=64, seed=seed, shuffle=True)
        feed.set_epoch(epoch)
        return numbers(iter(feed))

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1)
    assert order(1, 0) != order(2, 0)


def test_columns_keep_their_row_and_their_type(tmp_path: Path) -> None:
    manifest = numbered(tmp_path, [[70, 30], [33]])
    for batch in ArrowFeed(str(tmp_path), manifest, "train", batch_size=32, buffer_rows=64, shuffle=True):
        assert (batch.numeric.dtype, batch.categorical.dtype) == (torch.float32, torch.int64)
        assert torch.equal(batch.numeric[:, 0], batch.label)
        assert torch.equal(batch.categorical[:, 0], batch.label.long())


@pytest.mark.parametrize(("task", "label"), [("binary", torch.float32), ("multiclass", torch.int64)])
def test_labels_fit_their_loss(tmp_path: Path, task: Any, label: torch.dtype) -> None:
    manifest = write_feature_set(tmp_path, task, rows=400, numeric=False)
    batch = next(iter(ArrowFeed(str(tmp_path), manifest, "test", batch_size=50, buffer_rows=100, shuffle=False)))
    assert batch.label.dtype == label
    assert batch.numeric.shape == (50, 0)
    assert batch.categorical.shape == (50, 2)


def test_a_rank_opens_only_the_files_of_its_range(tmp_path: Path) -> None:
    manifest = numbered(tmp_path, [[40], [40], [40], [40]])
    for path in ("train/2.parquet", "train/3.parquet"):
        (tmp_path / path).unlink()
    feed = ArrowFeed(str(tmp_path), manifest, "train", batch_size=8, buffer_rows=16, world_size=2, shuffle=False)
    assert len(numbers(iter(feed))) == 10


def test_reads_from_any_file_system(tmp_path: Path) -> None:
    manifest = numbered(tmp_path, [[10, 10]])
    fsspec.filesystem("memory").put(str(tmp_path), "/set", recursive=True)
    feed = ArrowFeed("memory://set", manifest, "train", batch_size=5, buffer_rows=10, shuffle=False)
    assert numbers(iter(feed)) == [list(range(i, i + 5)) for i in range(0, 20, 5)]


def test_more_ranks_than_rows_is_an_error(tmp_path: Path) -> None:
    manifest = numbered(tmp_path, [[3]])
    with pytest.raises(FranklinError, match=r"has 3 rows, too few for 4 ranks; take strategy.world_size=3"):
        ArrowFeed(str(tmp_path), manifest, "train", batch_size=1, buffer_rows=1, world_size=4, shuffle=True)
