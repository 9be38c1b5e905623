"""The stored layout: row groups of Parquet, decoded anew whenever they are read."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from functools import cached_property
from typing import NamedTuple

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from fsspec.implementations.local import LocalFileSystem
from torch import Tensor

from conf.manifest import Manifest, SplitName
from models.feeds.ahead import ahead, made_ahead
from models.feeds.order import Order, Visit
from models.feeds.record import WORD_BYTES, Record, Rows
from models.feeds.units import Listed

PLACE_BYTES = 8  # that it takes to say where a row comes from


class RowGroup(NamedTuple):
    """A row group of a split: its file, its place in it, its rows."""

    path: str
    number: int
    rows: int


class Stored:
    """A split as Spark left it."""

    shared = False  # a rank decodes its own row groups alone

    def __init__(self, folder: str, manifest: Manifest, split: SplitName, memory_bytes: int) -> None:
        """Name the files; nothing is read yet. What is read takes no more than `memory_bytes` at a time."""
        self.name, self.record = f"the {split} split of {folder}", Record.of(manifest)
        self.filesystem, self.root = fsspec.core.url_to_fs(folder)
        self._memory_rows = memory_bytes // (self.record.width * WORD_BYTES + PLACE_BYTES)
        self.groups = [
            RowGroup(file.path, number, rows)
            for file in manifest.splits[split].files
            for number, rows in enumerate(file.row_groups)
        ]

    @cached_property
    def units(self) -> Listed:
        """What an epoch permutes: row groups."""
        return Listed([group.rows for group in self.groups])

    @property
    def window_rows(self) -> int:
        """Rows that are permuted together: a quarter of the memory is the window in use, a quarter the next one."""
        return self._memory_rows // 4

    def load(self, order: Order, visits: Iterator[Visit], *, shuffle: bool) -> Generator[Rows]:
        """Give the rows of one visit after the other, read ahead of their use."""
        return ahead(self._permuted(order, visits)) if shuffle else self._plain(order, visits)

    def words(self, groups: Sequence[RowGroup]) -> Tensor:
        """Decode row groups of one file into `(rows, width)` words, column by column in memory: no row is turned."""
        path, local = f"{self.root}/{groups[0].path}", isinstance(self.filesystem, LocalFileSystem)
        filesystem = None if local else self.filesystem
        # Plain reads: of files that are not in the cache, mapping them took 1.5 times as long.
        with pq.ParquetFile(path, filesystem=filesystem, pre_buffer=not local) as file:
            numbers = [group.number for group in groups]
            table = file.read_row_groups(numbers, columns=list(self.record.names), use_threads=False)
        words = torch.empty(self.record.width, len(table), dtype=torch.int32).t()
        done = 0
        for batch in table.to_batches():
            self.record.fill(self.record.columns(batch), words[done : done + len(batch)])
            done += len(batch)
        return words

    def rows(self, groups: Sequence[RowGroup]) -> Tensor:
        """Decode row groups of one file into `(rows, width)` words, row by row in memory."""
        return self.words(groups).contiguous()

    def threads(self, memory_rows: int) -> int:
        """Threads that may decode when so many rows may be in memory."""
        cores: int = pa.cpu_count()
        return max(1, min(cores, (memory_rows // max(group.rows for group in self.groups) - 2) // 3))

    def _plain(self, order: Order, visits: Iterator[Visit]) -> Generator[Rows]:
        for start, stop in _ranges(visits):
            with closing(self._read(order, start, stop, self.words, self._memory_rows)) as read:
                yield from map(Rows, read)

    def _permuted(self, order: Order, visits: Iterator[Visit]) -> Generator[Rows]:
        for run in _runs(visits):
            start, stop = run[0].start, run[-1].stop
            with closing(self._read(order, start, stop, self.rows, self._memory_rows // 2)) as read:
                rest = torch.empty(0)
                for visit in run:
                    window = torch.empty(visit.stop - visit.start, self.record.width, dtype=torch.int32)
                    done = 0
                    while done < len(window):
                        rest = rest if len(rest) else next(read)
                        part, rest = rest[: len(window) - done], rest[len(window) - done :]
                        window[done : done + len(part)] = part
                        done += len(part)
                    yield Rows(window, visit.permutation()[visit.low : visit.high])

    def _read(
        self, order: Order, start: int, stop: int, decode: Callable[[Sequence[RowGroup]], Tensor], memory_rows: int
    ) -> Generator[Tensor]:
        """Decode what lies at the positions `[start, stop)`, ahead, with so many rows in memory at most.

        Of `t` threads each has a table and up to two copies of its words, and `t + 2` results wait or are in use.
        """
        threads = self.threads(memory_rows)
        units, _, starts = order.between(start, stop)
        jobs = _neighbours([self.groups[unit] for unit in units], memory_rows // (3 * threads + 2))
        at = int(starts[0])
        with closing(made_ahead(decode, jobs, threads=threads, most=threads + 1)) as decoded:
            for words in decoded:
                yield words[max(start - at, 0) : stop - at]
                at += len(words)


def _ranges(visits: Iterator[Visit]) -> Iterator[tuple[int, int]]:
    """The positions that visits read, as few ranges."""
    start = stop = 0
    for visit in visits:
        if visit.start + visit.low != stop:
            if start < stop:
                yield start, stop
            start = visit.start + visit.low
        stop = visit.start + visit.high
    if start < stop:
        yield start, stop


def _runs(visits: Iterator[Visit]) -> Iterator[list[Visit]]:
    """Visits whose windows follow each other without a gap."""
    run: list[Visit] = []
    for visit in visits:
        if run and visit.start != run[-1].stop:
            yield run
            run = []
        run.append(visit)
    if run:
        yield run


def _neighbours(groups: Iterable[RowGroup], rows: int) -> Iterator[list[RowGroup]]:
    """Row groups that follow each other in a file, of so many rows together unless one has more."""
    found: list[RowGroup] = []
    for group in groups:
        last = found[-1] if found else group
        follows = group.path == last.path and group.number == last.number + 1
        if found and not (follows and sum(each.rows for each in found) + group.rows <= rows):
            yield found
            found = []
        found.append(group)
    if found:
        yield found
