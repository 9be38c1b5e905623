"""Feeds of others, each with the defaults of its own. They run in any interpreter that has their package and torch.

What reads a format of its own gets the rows in it first, before the clock starts.
"""

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

SEED = 1
SHUFFLED_ROWS = 262_144  # that other feeds shuffle among
Batches = Generator[Any]
Way = Callable[[Path, int, bool], Batches]  # folder, rows of a batch, whether shuffled


def files(folder: Path) -> list[str]:
    """Parquet files of the feature set."""
    return sorted(map(str, (folder / "train").glob("*.parquet")))


def hugging_face(folder: Path, batch: int, shuffled: bool) -> Batches:
    """Hugging Face datasets, streamed."""
    from datasets import load_dataset

    streamed = load_dataset("parquet", data_files=files(folder), split="train", streaming=True)
    if shuffled:
        streamed = streamed.shuffle(seed=SEED, buffer_size=SHUFFLED_ROWS)
    return (each for each in streamed.with_format("torch").iter(batch_size=batch))


def ray_data(folder: Path, batch: int, shuffled: bool) -> Batches:
    """Ray Data, on a cluster of this machine that runs before the clock starts."""
    import ray

    ray.init(include_dashboard=False, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False

    def read() -> Batches:
        try:
            rows = ray.data.read_parquet(files(folder))
            buffered = {"local_shuffle_buffer_size": SHUFFLED_ROWS, "local_shuffle_seed": SEED} if shuffled else {}
            yield from rows.iter_torch_batches(batch_size=batch, **buffered)
        finally:
            ray.shutdown()

    return read()


def mosaic_streaming(folder: Path, batch: int, shuffled: bool) -> Batches:
    """MosaicML Streaming, from its shards on this disk; a row is two arrays and a number."""
    from streaming import MDSWriter, StreamingDataset
    from torch.utils.data import DataLoader

    shards = folder / "mds"
    if not shards.exists():
        kinds = {"numeric": "ndarray:float32", "categorical": "ndarray:int32", "label": "float32"}
        kinds = {name: kinds[name] for name in next(_rows(folder))}
        with MDSWriter(out=str(shards), columns=kinds) as writer:
            for row in _rows(folder):
                writer.write(row)
    dataset = StreamingDataset(
        local=str(shards), shuffle=shuffled, shuffle_seed=SEED, batch_size=batch, num_canonical_nodes=1
    )
    return (each for each in DataLoader(dataset, batch_size=batch))


def litdata(folder: Path, batch: int, shuffled: bool) -> Batches:
    """Lightning's litdata, from its chunks on this disk; a row is two tensors and a number."""
    from litdata import StreamingDataLoader, StreamingDataset
    from litdata.streaming.writer import BinaryWriter

    chunks = folder / "litdata"
    if not chunks.exists():
        chunks.mkdir()
        writer = BinaryWriter(str(chunks), chunk_bytes="64MB")
        for number, row in enumerate(_rows(folder)):
            writer.add_item(number, row)
        writer.done()
        writer.merge()
    dataset = StreamingDataset(str(chunks), shuffle=shuffled, seed=SEED)
    return (each for each in StreamingDataLoader(dataset, batch_size=batch))


def _rows(folder: Path) -> Iterator[dict[str, Any]]:
    """Rows of the feature set one by one, for those that have a format of their own."""
    import numpy as np
    import pyarrow.parquet as pq

    for path in files(folder):
        table = pq.read_table(path)
        by_kind = {letter: [name for name in table.column_names if name[0] == letter] for letter in "xcy"}
        numeric, categorical, label = (
            np.stack([table.column(name).to_numpy() for name in by_kind[letter]], axis=1)
            if by_kind[letter]
            else np.empty((len(table), 0), np.int32)
            for letter in "xcy"
        )
        for number in range(len(table)):
            row = {"numeric": numeric[number], "categorical": categorical[number], "label": float(label[number, 0])}
            yield row if by_kind["c"] else {name: row[name] for name in ("numeric", "label")}


PEERS: dict[str, Way] = {
    "hugging face": hugging_face,
    "ray data": ray_data,
    "mosaic streaming": mosaic_streaming,
    "litdata": litdata,
}
