"""Ways to read a feature set as batches of tensors, ours and those of others; each gives batches of one epoch."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from conf.manifest import Manifest
from conf.petastorm import petastorm as adapted
from models.feeds.feed import Feed
from models.feeds.mapped import Mapped
from models.feeds.stored import Stored

MEMORY_BYTES = 256 * 2**20
SHUFFLED_ROWS = 262_144  # that other feeds shuffle among
SEED = 1
Ways = dict[str, Callable[[Path, Manifest, int], Iterator[Any]]]


def parquet(folder: Path, manifest: Manifest, batch: int) -> Iterator[Any]:
    """Read Parquet in order with PyArrow, columns left as they are: the floor of decoding."""
    import pyarrow.parquet as pq

    names = [*manifest.numeric, *(column.name for column in manifest.categorical), manifest.label.name]
    for file in manifest.splits["train"].files:
        with pq.ParquetFile(folder / file.path) as opened:
            yield from opened.iter_batches(batch, columns=names)


def ours_stored(folder: Path, manifest: Manifest, batch: int) -> Iterator[Any]:
    """franklin, Parquet in order."""
    return iter(Feed(Stored(str(folder), manifest, "train", MEMORY_BYTES), batch_size=batch, shuffle=False))


def ours_stored_shuffled(folder: Path, manifest: Manifest, batch: int) -> Iterator[Any]:
    """franklin, Parquet shuffled."""
    return iter(Feed(Stored(str(folder), manifest, "train", MEMORY_BYTES), batch_size=batch, shuffle=True, seed=SEED))


def ours_mapped(folder: Path, manifest: Manifest, batch: int) -> Iterator[Any]:
    """franklin, the mapped layout shuffled."""
    stored = Stored(str(folder), manifest, "train", MEMORY_BYTES)
    mapped = Mapped(stored, folder / ".mapped", "train", MEMORY_BYTES)
    return iter(Feed(mapped, batch_size=batch, shuffle=True, seed=SEED))


def petastorm(folder: Path, manifest: Manifest, batch: int) -> Iterator[Any]:
    """Petastorm's BatchedDataLoader, in order."""
    return _petastorm(folder, manifest, batch, 0)


def petastorm_shuffled(folder: Path, manifest: Manifest, batch: int) -> Iterator[Any]:
    """Petastorm's BatchedDataLoader, shuffled."""
    return _petastorm(folder, manifest, batch, SHUFFLED_ROWS)


def _petastorm(folder: Path, _: Manifest, batch: int, shuffled: int) -> Iterator[Any]:
    make_batch_reader = adapted().make_batch_reader
    from petastorm.pytorch import BatchedDataLoader  # after it is adapted

    with make_batch_reader(
        f"file://{folder}/train", shuffle_row_groups=shuffled > 0, seed=SEED, num_epochs=1
    ) as reader:
        yield from BatchedDataLoader(reader, batch_size=batch, shuffling_queue_capacity=shuffled)


def hugging_face(folder: Path, manifest: Manifest, batch: int) -> Iterator[Any]:
    """Hugging Face datasets, streamed in order."""
    yield from _hugging_face(folder, manifest).iter(batch_size=batch)


def hugging_face_shuffled(folder: Path, manifest: Manifest, batch: int) -> Iterator[Any]:
    """Hugging Face datasets, streamed and shuffled."""
    yield from _hugging_face(folder, manifest).shuffle(seed=SEED, buffer_size=SHUFFLED_ROWS).iter(batch_size=batch)


def _hugging_face(folder: Path, manifest: Manifest) -> Any:
    from datasets import load_dataset

    files = [str(folder / file.path) for file in manifest.splits["train"].files]
    return load_dataset("parquet", data_files=files, split="train", streaming=True).with_format("torch")


def in_memory(folder: Path, manifest: Manifest, batch: int) -> Iterator[Any]:
    """A bare index_select, every row on its own, of rows that are in memory: the ceiling."""
    words = torch.cat([rows.words for rows in _all(folder, manifest)])
    order = torch.randperm(len(words), generator=torch.Generator().manual_seed(SEED))
    yield  # what went before is not counted
    for start in range(0, len(words), batch):
        yield torch.index_select(words, 0, order[start : start + batch])


def _all(folder: Path, manifest: Manifest) -> Iterator[Any]:
    from models.feeds.order import Leg, Order

    stored = Stored(str(folder), manifest, "train", MEMORY_BYTES)
    order = Order(stored.sizes, seed=0, epoch=0, shuffle=False, window_rows=2**16, legs=[Leg(1, 2**16, 0)])
    return stored.load(order, order.visits(0, 0), shuffle=False)


IN_ORDER: Ways = {
    "petastorm": petastorm,
    "franklin": ours_stored,
    "hugging face": hugging_face,
    "parquet alone": parquet,
}
SHUFFLED: Ways = {
    "petastorm": petastorm_shuffled,
    "franklin, mapped": ours_mapped,
    "franklin, stored": ours_stored_shuffled,
    "hugging face": hugging_face_shuffled,
    "index_select in memory": in_memory,
}
