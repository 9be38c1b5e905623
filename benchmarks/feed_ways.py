"""Ways to read a feature set as batches of tensors: franklin's, Petastorm's, and the floors and ceilings of reading."""

import os
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from benchmarks.feed_peers import SEED, SHUFFLED_ROWS, Batches, Way, files
from conf.manifest import read_manifest
from conf.petastorm import petastorm as adapted
from models.feeds.ahead import made_ahead
from models.feeds.feed import Feed
from models.feeds.mapped import Mapped
from models.feeds.stored import Stored

MEMORY_BYTES = 256 * 2**20


def stored(folder: Path) -> Stored:
    """Open the stored layout."""
    return Stored(str(folder), read_manifest(str(folder)), "train", MEMORY_BYTES)


def mapped(folder: Path) -> Mapped:
    """Open the mapped layout."""
    return Mapped(stored(folder), folder / ".mapped", "train", MEMORY_BYTES)


def franklin_stored(folder: Path, batch: int, shuffled: bool) -> Batches:
    """franklin, from Parquet."""
    return (each for each in Feed(stored(folder), batch_size=batch, shuffle=shuffled, seed=SEED))


def franklin_mapped(folder: Path, batch: int, shuffled: bool) -> Batches:
    """franklin, from the mapped layout, which is made before the clock starts."""
    rows = mapped(folder)
    rows.make()
    return (each for each in Feed(rows, batch_size=batch, shuffle=shuffled, seed=SEED))


def making(folder: Path, batch: int, shuffled: bool) -> Batches:  # noqa: ARG001 -- a way's signature
    """Make the mapped layout anew."""
    for path in (folder / ".mapped").glob("train.*"):
        path.unlink()
    rows = mapped(folder)
    rows.make()
    yield rows.units.rows


def petastorm(folder: Path, batch: int, shuffled: bool) -> Batches:
    """Petastorm's BatchedDataLoader."""
    make_batch_reader = adapted().make_batch_reader
    from petastorm.pytorch import BatchedDataLoader  # after it is adapted

    def read() -> Batches:
        with make_batch_reader(
            f"file://{folder}/train", shuffle_row_groups=shuffled, seed=SEED, num_epochs=1
        ) as reader:
            capacity = SHUFFLED_ROWS if shuffled else 0
            yield from BatchedDataLoader(reader, batch_size=batch, shuffling_queue_capacity=capacity)

    return read()


def parquet(folder: Path, batch: int, shuffled: bool) -> Batches:  # noqa: ARG001 -- a way's signature
    """PyArrow alone, whole files in as many threads as cores, columns left as they are: the floor of decoding."""

    def decode(path: str) -> int:
        with pq.ParquetFile(path) as file:
            rows: int = file.read(use_threads=False).num_rows
        return rows

    return made_ahead(decode, files(folder), threads=pa.cpu_count(), most=pa.cpu_count() + 1)


def contents(folder: Path, batch: int, shuffled: bool) -> Batches:  # noqa: ARG001 -- a way's signature
    """The files' bytes and nothing else, in as many threads as cores: the floor of the disk."""

    def read(path: str) -> int:
        file, room = os.open(path, os.O_RDONLY), bytearray(2**20)
        while os.readv(file, [room]):
            pass
        os.close(file)
        rows: int = pq.read_metadata(path).num_rows
        return rows

    return made_ahead(read, files(folder), threads=pa.cpu_count(), most=pa.cpu_count() + 1)


def in_memory(folder: Path, batch: int, shuffled: bool) -> Batches:  # noqa: ARG001 -- a way's signature
    """A bare index_select, every row on its own, of rows that are in memory: the ceiling."""
    source = stored(folder)
    words = torch.cat([source.words([group]) for group in source.groups])
    order = torch.randperm(len(words), generator=torch.Generator().manual_seed(SEED))
    bounds = [*range(0, len(words), batch), len(words)]
    return (torch.index_select(words, 0, order[low:high]) for low, high in pairwise(bounds))


WAYS: dict[str, Way] = {
    "petastorm": petastorm,
    "franklin, stored": franklin_stored,
    "franklin, mapped": franklin_mapped,
    "parquet alone": parquet,
    "bytes alone": contents,
    "index_select in memory": in_memory,
    "making the mapped layout": making,
}
