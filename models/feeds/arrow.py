"""Feature set to batches with PyArrow: row groups in, shuffled row-major tensors out."""

from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from conf.errors import FranklinError
from conf.manifest import Manifest, SplitName
from models.feeds.batch import Batch

CHUNK_ROWS = 8192  # rows turned from columns to rows at a time: they stay in the processor's cache


class RowGroup(NamedTuple):
    """A row group of a split: its file, its place in it, its rows."""

    path: str
    number: int
    rows: int


class ArrowFeed:
    """One rank's share of a split, as batches.

    An epoch shuffles the row groups of the split by (seed, epoch) and lays their rows end to end. Of these `R` rows,
    rank `r` of `W` takes `[r * R // W, (r + 1) * R // W)` and opens only the row groups that it needs. It reads them
    in windows of at most `buffer_rows` rows (but at least one batch), which is all that it holds, and shuffles each
    window. Without `shuffle`, rows keep the order of the files.

    Tail rule: every rank cuts its rows into the same number of batches, whose sizes differ by at most one row, so
    there is no short last batch, no row is dropped and none is seen twice. Batches have at most `batch_size` rows,
    or two where `batch_size` is 1 and ranks have unequal rows.

    The order is a pure function of (seed, epoch, rank, world size). Iterating goes on at the next unseen batch and
    ends with its epoch; iterating again gives the next epoch.

    Example:
        >>> feed = ArrowFeed(folder, manifest, "test", batch_size=4096, buffer_rows=65536, shuffle=False)
        >>> logits = [network(batch.numeric, batch.categorical) for batch in feed]

    """

    def __init__(
        self,
        folder: str,
        manifest: Manifest,
        split: SplitName,
        *,
        batch_size: int,
        buffer_rows: int,
        shuffle: bool,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        """Plan the feed; nothing is read yet.

        Args:
            folder: the feature set, any fsspec URL.
            manifest: the feature set's manifest.
            split: which split.
            batch_size: rows of one step of this rank, at most.
            buffer_rows: rows held at a time.
            shuffle: whether to shuffle.
            seed: of the order.
            rank: this rank.
            world_size: number of ranks.

        Raises:
            FranklinError: the split has fewer rows than there are ranks.

        """
        self._filesystem, self._root = fsspec.core.url_to_fs(folder)
        self._manifest = manifest
        self._groups = [
            RowGroup(file.path, number, rows)
            for file in manifest.splits[split].files
            for number, rows in enumerate(file.row_groups)
        ]
        total = manifest.splits[split].rows
        if total < world_size:
            raise FranklinError(
                f"the {split} split of {folder} has {total} rows, too few for {world_size} ranks; "
                f"take strategy.world_size={max(1, total)} or a larger dataset",
            )
        self._start, self._stop = rank * total // world_size, (rank + 1) * total // world_size
        self._steps = min(_ceil(_ceil(total, world_size), batch_size), total // world_size)
        batches = max(1, buffer_rows // _ceil(self._stop - self._start, self._steps))
        self._windows = _ceil(self._steps, batches)
        self._shuffle = shuffle
        self._key = (seed, rank, world_size)
        self._epoch = self._step = 0

    def __len__(self) -> int:
        """Batches of one epoch, the same for every rank."""
        return self._steps

    def __iter__(self) -> Iterator[Batch]:
        """Give the batches of the current epoch that were not given yet."""
        epoch, step = self._epoch, self._step
        order = self._order(epoch)
        first = next(w for w in range(self._windows) if self._window_stop(w) > step)
        reader = _Reader(self._chunks(order, self._cut(self._window_stop(first - 1)), self._stop), self._manifest)
        for window in range(first, self._windows):
            begin, end = self._window_stop(window - 1), self._window_stop(window)
            offset = self._cut(begin)
            rows = reader.read(self._cut(end) - offset)
            shuffled = self._permutation(epoch, window, len(rows.label)) if self._shuffle else None
            for batch in range(max(begin, step), end):
                low, high = self._cut(batch) - offset, self._cut(batch + 1) - offset
                self._epoch, self._step = (epoch, batch + 1) if batch + 1 < self._steps else (epoch + 1, 0)
                yield Batch(*(_take(tensor, low, high, shuffled) for tensor in rows))
            del rows, shuffled  # before the next window is read: one window is all that is held

    def set_epoch(self, epoch: int) -> None:
        """Go to the start of `epoch`, or stay where we are if that is in it."""
        if epoch != self._epoch:
            self._epoch, self._step = epoch, 0

    def state_dict(self) -> dict[str, int]:
        """Where the next unseen batch is."""
        return {"epoch": self._epoch, "step": self._step}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on at the next unseen batch of `state`."""
        self._epoch, self._step = state["epoch"], state["step"]

    def _cut(self, batch: int) -> int:
        """First row, in the epoch's order, of this rank's batch number `batch`."""
        return self._start + batch * (self._stop - self._start) // self._steps

    def _window_stop(self, window: int) -> int:
        """Batch that follows the last of `window`."""
        return (window + 1) * self._steps // self._windows

    def _order(self, epoch: int) -> list[RowGroup]:
        if not self._shuffle:
            return self._groups
        seed, _, _ = self._key
        return [self._groups[i] for i in np.random.default_rng([seed, epoch]).permutation(len(self._groups))]

    def _permutation(self, epoch: int, window: int, rows: int) -> torch.Tensor:
        return torch.from_numpy(np.random.default_rng([*self._key, epoch, window]).permutation(rows))

    def _chunks(self, order: list[RowGroup], start: int, stop: int) -> Iterator[pa.RecordBatch]:
        """Rows `[start, stop)` of `order`, in pieces of at most CHUNK_ROWS."""
        columns = [*self._manifest.numeric, *(c.name for c in self._manifest.categorical), self._manifest.label.name]
        for group, end in zip(order, accumulate(group.rows for group in order), strict=True):
            position = end - group.rows
            if end <= start or position >= stop:
                continue
            with pq.ParquetFile(f"{self._root}/{group.path}", filesystem=self._filesystem) as file:
                for chunk in file.iter_batches(CHUNK_ROWS, row_groups=[group.number], columns=columns):
                    low, high = max(start - position, 0), min(stop - position, chunk.num_rows)
                    if low < high:
                        yield chunk.slice(low, high - low)
                    position += chunk.num_rows


class _Reader:
    """Turns a stream of column-major chunks into row-major windows of the size asked for."""

    def __init__(self, chunks: Iterator[pa.RecordBatch], manifest: Manifest) -> None:
        self._chunks = chunks
        self._rest = pa.RecordBatch.from_arrays([], names=[])
        self._numeric = manifest.numeric
        self._categorical = [column.name for column in manifest.categorical]
        self._label = manifest.label.name
        self._label_type = np.int64 if manifest.task == "multiclass" else np.float32

    def read(self, rows: int) -> Batch:
        """Read the next `rows` rows."""
        numeric = np.empty((rows, len(self._numeric)), np.float32)
        categorical = np.empty((rows, len(self._categorical)), np.int32)  # half of what int64 would hold
        label = np.empty(rows, self._label_type)
        filled = 0
        while filled < rows:
            if not self._rest.num_rows:
                self._rest = next(self._chunks)
            chunk = self._rest.slice(0, rows - filled)
            self._rest = self._rest.slice(chunk.num_rows)
            here = slice(filled, filled + chunk.num_rows)
            for index, name in enumerate(self._numeric):
                numeric[here, index] = chunk.column(name)
            for index, name in enumerate(self._categorical):
                categorical[here, index] = chunk.column(name)
            label[here] = chunk.column(self._label)
            filled += chunk.num_rows
        return Batch(*map(torch.from_numpy, (numeric, categorical, label)))


def _take(rows: torch.Tensor, low: int, high: int, shuffled: torch.Tensor | None) -> torch.Tensor:
    taken = rows[low:high] if shuffled is None else torch.index_select(rows, 0, shuffled[low:high])
    return taken.long() if taken.dtype == torch.int32 else taken


def _ceil(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)
