"""The stored layout: row groups of Parquet, decoded anew whenever they are read."""

from collections.abc import Generator, Iterator
from contextlib import closing
from typing import NamedTuple

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from conf.manifest import Manifest, SplitName
from models.feeds.ahead import ahead, made_ahead
from models.feeds.order import Order, Visit
from models.feeds.record import WORD_BYTES, Record, Rows


class RowGroup(NamedTuple):
    """A row group of a split: its file, its place in it, its rows."""

    path: str
    number: int
    rows: int


class Stored:
    """A split as Spark left it."""

    def __init__(self, folder: str, manifest: Manifest, split: SplitName, memory_bytes: int) -> None:
        """Name the files; nothing is read yet. What is read takes no more than `memory_bytes` at a time."""
        self.name, self.record = f"the {split} split of {folder}", Record.of(manifest)
        self.filesystem, self.root = fsspec.core.url_to_fs(folder)
        self._memory_rows = memory_bytes // (self.record.width * WORD_BYTES)
        self.groups = [
            RowGroup(file.path, number, rows)
            for file in manifest.splits[split].files
            for number, rows in enumerate(file.row_groups)
        ]

    @property
    def sizes(self) -> list[int]:
        """Rows of the units that an epoch permutes: row groups."""
        return [group.rows for group in self.groups]

    @property
    def window_rows(self) -> int:
        """Rows that are permuted together: a quarter of the memory is the window in use, a quarter the next one."""
        return self._memory_rows // 4

    def load(self, order: Order, visits: Iterator[Visit], *, shuffle: bool) -> Generator[Rows]:
        """Give the rows of one visit after the other, read ahead of their use."""
        return ahead(self._permuted(order, visits)) if shuffle else self._plain(order, visits)

    def words(self, group: RowGroup) -> Tensor:
        """Decode a row group into `(rows, width)` words."""
        with pq.ParquetFile(f"{self.root}/{group.path}", filesystem=self.filesystem) as file:
            table = file.read_row_group(group.number, columns=list(self.record.names), use_threads=False)
        words = torch.empty(group.rows, self.record.width, dtype=torch.int32)
        self.record.turn([table.column(name).to_numpy() for name in self.record.names], words)
        return words

    def _plain(self, order: Order, visits: Iterator[Visit]) -> Generator[Rows]:
        for visit, parts in self._windows(order, visits):
            start = 0
            for part in parts:
                low, high = max(visit.low - start, 0), min(visit.high - start, len(part))
                start += len(part)
                if low < high:
                    yield Rows(part[low:high])

    def _permuted(self, order: Order, visits: Iterator[Visit]) -> Generator[Rows]:
        for visit, parts in self._windows(order, visits):
            yield Rows(torch.cat(parts), visit.permutation()[visit.low : visit.high])

    def _windows(self, order: Order, visits: Iterator[Visit]) -> Iterator[tuple[Visit, list[Tensor]]]:
        """Each visit with its window, in parts."""
        threads = pa.cpu_count()
        most = max(threads, self._memory_rows // 8 // max(self.sizes))
        for run in _runs(visits):
            first, last = order.unit_at(run[0].start), order.unit_at(run[-1].stop - 1) + 1
            groups = [self.groups[unit] for unit in order.units[first:last]]
            with closing(made_ahead(self.words, groups, threads=threads, most=most)) as read:
                rest = next(read)[run[0].start - int(order.starts[first]) :]
                for visit in run:
                    parts, missing = [], visit.stop - visit.start
                    while missing:
                        rest = rest if len(rest) else next(read)
                        parts.append(rest[:missing])
                        rest, missing = rest[missing:], missing - len(parts[-1])
                    yield visit, parts


def _runs(visits: Iterator[Visit]) -> Iterator[list[Visit]]:
    """Visits that follow each other without a gap."""
    run: list[Visit] = []
    for visit in visits:
        if run and visit.start != run[-1].stop:
            yield run
            run = []
        run.append(visit)
    if run:
        yield run
