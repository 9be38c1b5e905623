"""The feed's contract, held over layouts, rows, row groups, ranks, batch sizes, seeds, epochs and cut points."""

import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from conf import training
from conf.errors import FranklinError
from conf.manifest import DataFile, Manifest, Split
from models.feeds import cache_folder, open_feed
from models.feeds.feed import Feed
from models.feeds.mapped import Mapped
from models.feeds.petastorm import Petastorm
from models.feeds.stored import Stored
from tests.feature_sets import write_feature_set
from tests.models.feeds.numbered import LAYOUTS, WANTED, numbered, numbers, rows_of, source


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_position_in_another_order_is_refused(tmp_path: Path, layout: str) -> None:
    manifest = numbered(tmp_path, [[50, 50]])
    one, other = (Feed(source(layout, tmp_path, manifest), batch_size=8, shuffle=True, seed=seed) for seed in (1, 2))
    with pytest.raises(FranklinError, match="seed was 1 and is 2; set it back, or start afresh"):
        other.load_state_dict(one.state_dict())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_columns_keep_their_row_and_their_type(tmp_path: Path, layout: str) -> None:
    manifest = numbered(tmp_path, [[70, 30], [33]])
    for batch in Feed(source(layout, tmp_path, manifest), batch_size=32, shuffle=True):
        assert (batch.numeric.dtype, batch.categorical.dtype) == (torch.float32, torch.int64)
        assert torch.equal(batch.numeric[:, 0], batch.label)
        assert torch.equal(batch.categorical[:, 0], batch.label.long())


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("task", "label"), [("binary", torch.float32), ("multiclass", torch.int64)])
def test_labels_fit_their_loss(tmp_path: Path, layout: str, task: Any, label: torch.dtype) -> None:
    manifest = write_feature_set(tmp_path, task, rows=400, numeric=False)
    batch = next(iter(Feed(source(layout, tmp_path, manifest, "test"), batch_size=50, shuffle=False)))
    assert batch.label.dtype == label
    assert set(batch.label.tolist()) <= set(range(len(manifest.label.classes)))
    assert batch.numeric.shape == (50, 0)
    assert batch.categorical.shape == (50, 2)


def test_a_rank_opens_only_the_files_of_its_range(tmp_path: Path) -> None:
    manifest = numbered(tmp_path, [[40], [40], [40], [40]])
    for path in ("train/2.parquet", "train/3.parquet"):
        (tmp_path / path).unlink()
    feed = Feed(source("stored", tmp_path, manifest), batch_size=16, world_size=2, shuffle=False)
    assert len(numbers(iter(feed))) == 10


@pytest.mark.parametrize("layout", LAYOUTS)
def test_reads_from_any_file_system(tmp_path: Path, layout: str) -> None:
    manifest = numbered(tmp_path, [[10, 10]])
    fsspec.filesystem("memory").put(str(tmp_path), "/set", recursive=True)
    stored = (Petastorm if layout == "petastorm" else Stored)("memory://set", manifest, "train", 2**20)
    far = Mapped(stored, tmp_path / "near", "train", 2**20) if layout == "mapped" else stored
    assert numbers(iter(Feed(far, batch_size=5, shuffle=False))) == [list(range(i, i + 5)) for i in range(0, 20, 5)]


def test_more_ranks_than_rows_is_an_error(tmp_path: Path) -> None:
    manifest = numbered(tmp_path, [[3]])
    with pytest.raises(FranklinError, match=r"has 3 rows, too few for 4 ranks; take strategy.world_size=3"):
        Feed(source("stored", tmp_path, manifest), batch_size=1, world_size=4, shuffle=True)


def test_a_disk_without_room_is_named_before_anything_is_written(tmp_path: Path) -> None:
    endless = Split(files=[DataFile(path="train/0.parquet", row_groups=[2**50])])
    manifest = numbered(tmp_path, [[3]]).model_copy(update={"splits": {"train": endless}})
    mapped = Mapped(Stored(str(tmp_path), manifest, "train", 2**20), tmp_path / ".rows", "train", 2**20)
    with pytest.raises(FranklinError, match=r"are free: make room, .* or say feed.layout=stored"):
        mapped.make()
    assert not (tmp_path / ".rows" / "train.rows").exists()


def test_two_decoders_do_not_share_a_mapped_file(tmp_path: Path) -> None:
    manifest = numbered(tmp_path, [[3]])
    wanted = {"batch_size": 64, "layout": "mapped", "memory": "1m", "cache": None}
    folders = {
        cache_folder(training.Feed(name=name, **wanted), str(tmp_path), manifest) for name in ("arrow", "petastorm")
    }
    assert len(folders) == 2


def make_and_die(folder: Path, manifest: Manifest, after: int) -> None:
    """Make the mapped layout and be killed when so many row groups are decoded."""
    stored = Stored(str(folder), manifest, "train", 2**20)
    decode: Any = stored.words

    def dying(group: Any) -> torch.Tensor:
        nonlocal after
        after -= 1
        if after < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return decode(group)

    stored.words = dying  # type: ignore[method-assign]
    Mapped(stored, folder / ".rows", "train", 2**20).make()


def test_the_file_is_made_while_others_are_busy(tmp_path: Path) -> None:
    manifest, wanted = numbered(tmp_path, [[40, 20], [30]]), training.Feed(**WANTED)
    mapped = cache_folder(wanted, str(tmp_path), manifest) / "train.parts"
    feed = open_feed(wanted, str(tmp_path), manifest, "train", seed=1, rank=0, world_size=1)
    deadline = time.monotonic() + 60
    while not (mapped.exists() and mapped.read_bytes() == b"\1" * 3):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert sorted(row for batch in feed for row in rows_of(batch)) == list(range(90))


def test_what_goes_wrong_before_it_is_needed_is_said_when_it_is(tmp_path: Path) -> None:
    manifest, wanted = numbered(tmp_path, [[40]]), training.Feed(**WANTED)
    (tmp_path / "train" / "0.parquet").write_bytes(b"no Parquet")
    feed = open_feed(wanted, str(tmp_path), manifest, "train", seed=1, rank=0, world_size=1)
    with pytest.raises(pa.ArrowInvalid):
        next(iter(feed))


@pytest.mark.parametrize("after", [0, 1, 3])
def test_what_a_killed_process_began_is_ended_by_the_next(tmp_path: Path, after: int) -> None:
    manifest = numbered(tmp_path, [[10, 10], [10, 10]])
    process = multiprocessing.get_context("spawn").Process(target=make_and_die, args=(tmp_path, manifest, after))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    feed = Feed(source("mapped", tmp_path, manifest), batch_size=40, shuffle=False)
    assert numbers(iter(feed)) == [list(range(40))]


def test_once_mapped_the_row_groups_are_not_opened_again(tmp_path: Path) -> None:
    manifest = numbered(tmp_path, [[10, 10], [10, 10]])
    ranks = [
        multiprocessing.get_context("spawn").Process(target=make_and_die, args=(tmp_path, manifest, 99))
        for _ in range(3)
    ]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(60)
    assert [process.exitcode for process in ranks] == [0, 0, 0]
    for path in (tmp_path / "train").iterdir():
        path.unlink()
    feed = Feed(source("mapped", tmp_path, manifest), batch_size=10, shuffle=True)
    assert sorted(row for batch in numbers(iter(feed)) for row in batch) == list(range(40))


@pytest.mark.parametrize("name", ["arrow", "petastorm"])
@pytest.mark.parametrize("layout", ["stored", "mapped"])
def test_every_configuration_gives_the_same_rows(tmp_path: Path, name: Any, layout: Any) -> None:
    manifest = write_feature_set(tmp_path / "set", "binary", rows=400)
    wanted = training.Feed(name=name, batch_size=64, layout=layout, memory="1m", cache=tmp_path / "near")
    plain = pq.read_table(tmp_path / "set" / "train", columns=manifest.numeric).to_pandas().to_numpy()
    seen = [
        batch.numeric
        for rank in range(2)
        for batch in open_feed(wanted, str(tmp_path / "set"), manifest, "train", seed=1, rank=rank, world_size=2)
    ]
    assert max(map(len, seen)) <= 32
    rows = torch.cat(seen).numpy()
    assert not np.array_equal(rows, plain)
    assert np.array_equal(rows[np.lexsort(rows.T)], plain[np.lexsort(plain.T)])
    assert (tmp_path / "near").exists() == (layout == "mapped")


def test_a_name_that_petastorm_cannot_give_is_named(tmp_path: Path) -> None:
    manifest = numbered(tmp_path, [[3]])
    columns = [manifest.columns[0].model_copy(update={"name": "mean radius"}), manifest.columns[1]]
    with pytest.raises(FranklinError, match="the column 'mean radius'"):
        Petastorm(str(tmp_path), manifest.model_copy(update={"columns": columns}), "train", 2**20)


def test_a_reader_that_gives_too_few_rows_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = numbered(tmp_path, [[50, 21]])
    short = Petastorm(str(tmp_path), manifest, "train", 2**20)
    batches = list(short._batches(short.groups[0]))
    monkeypatch.setattr(short, "_batches", lambda _: iter(batches[:-1]))
    with pytest.raises(RuntimeError, match=r"0\.parquet: Petastorm gave -21 rows beside 71"):
        short.words(short.groups)
