"""The mapped layout: a split decoded once, row by row, into a file that every epoch maps into memory.

    FOLDER/train.rows     `(rows, width)` words, see `models.feeds.record`
    FOLDER/train.parts    a byte for each part of the rows: 1 once that has reached the disk

Whoever comes first writes a part, ranks of one machine side by side, under a lock that ends with its process. So a
killed process costs no more than the parts that it was at.
"""

import fcntl
import mmap
import os
import shutil
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from errno import ENOSPC
from functools import partial
from pathlib import Path
from threading import Event, Thread

import pyarrow as pa
import torch
from torch import Tensor

from conf.errors import FranklinError
from models.feeds.order import Order, Visit
from models.feeds.paging import Pager
from models.feeds.record import WORD_BYTES, Rows
from models.feeds.stored import Stored
from models.feeds.units import Even
from models.maps import private

LAYOUT_VERSION = 1  # of words and parts; to be raised when old files no longer fit
MOST_PARTS = 64
CHUNK_ROWS = 64  # neighbours in the file that stay neighbours until rows are permuted
WINDOW_ROWS = 16_384  # some megabytes: the processor's cache holds them while rows are gathered


class Mapped:
    """A split in a file of its own, made of the stored row groups when it is first read."""

    shared = True

    def __init__(self, stored: Stored, folder: Path, split: str, memory_bytes: int) -> None:
        """Name the files; nothing is made yet. No more than `memory_bytes` of the map are in use at a time."""
        self.name, self.record = stored.name, stored.record
        self._stored, self._memory_bytes = stored, memory_bytes
        self._memory_rows = memory_bytes // (stored.record.width * WORD_BYTES)
        self._file, self._marks = folder / f"{split}.rows", folder / f"{split}.parts"
        self._rows, self._row_bytes = stored.units.rows, stored.record.width * WORD_BYTES
        self.units = Even(self._rows, CHUNK_ROWS)
        self._parts = min(len(stored.groups), MOST_PARTS)
        self._making: Thread | None = None
        self._wanted = Event()

    @property
    def window_rows(self) -> int:
        """Rows that are permuted together."""
        return min(WINDOW_ROWS, self._memory_rows)

    def load(self, order: Order, visits: Iterator[Visit], *, shuffle: bool) -> Generator[Rows]:
        """Say where the rows of one window after the other are.

        Raises:
            FranklinError: the disk has no room for the file.

        """
        self._wanted.set()
        if self._making:
            self._making.join()
        self.make()
        pages, words = self._open()
        used, pager = 0, Pager(pages, self._row_bytes) if shuffle else None
        following = next(visits, None)
        while following:
            visit, following = following, next(visits, None)
            if pager and following and pager.missed():
                pager.ask(order.between(following.start, following.stop))
            used += (visit.stop - visit.start) * self._row_bytes
            if used > self._memory_bytes:  # what was read stays in the system's cache, while that has room
                pages.madvise(mmap.MADV_DONTNEED)
                used = (visit.stop - visit.start) * self._row_bytes
            if shuffle:
                yield Rows(words, order.rows(visit.start, visit.stop)[visit.permutation()[visit.low : visit.high]])
            else:
                yield Rows(words[visit.start + visit.low : visit.start + visit.high])

    def begin(self) -> None:
        """Begin to make the file, while whoever will read it is still busy; what goes wrong is for `load` to say."""

        def work() -> None:
            with suppress(FranklinError, OSError, pa.ArrowException), self._marked() as marks:
                self._check_room()
                for part in range(self._parts):
                    if self._wanted.is_set():  # by whom all threads go on with what is left
                        return
                    self._make(marks, part, patient=False)

        self._making = Thread(target=work, name="feed", daemon=True)  # it must not keep a failed process from ending
        self._making.start()

    def make(self) -> None:
        """Write the parts that nobody has written yet, and return when all are there.

        Raises:
            FranklinError: the disk has no room for them.

        """
        with self._marked() as marks:
            if os.pread(marks, self._parts, 0) == b"\1" * self._parts:
                return
            self._check_room()
            # First what is free, then what others are at, which they may not have ended.
            for patient in (False, True):
                with ThreadPoolExecutor(self._stored.threads(self._memory_rows)) as pool:
                    list(pool.map(partial(self._make, marks, patient=patient), range(self._parts)))

    @contextmanager
    def _marked(self) -> Iterator[int]:
        """Open the marks."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        marks = os.open(self._marks, os.O_RDWR | os.O_CREAT)
        try:
            yield marks
        finally:
            os.close(marks)

    def _make(self, marks: int, part: int, *, patient: bool) -> None:
        """Write a part, unless it is there or somebody else is at it, whom patience waits for."""
        with _locked(marks, part, patient=patient) as mine:
            if mine and os.pread(marks, 1, part) != b"\1":
                self._write(part)
                os.pwrite(marks, b"\1", part)

    def _write(self, part: int) -> None:
        """Decode a part's row groups and write their words."""
        groups = self._stored.groups
        low, high = (number * len(groups) // self._parts for number in (part, part + 1))
        at = sum(group.rows for group in groups[:low]) * self._row_bytes
        file = os.open(self._file, os.O_RDWR | os.O_CREAT)
        try:
            for group in groups[low:high]:
                words = self._stored.rows([group]).numpy().data.cast("B")
                while words:  # a disk that fills takes a part, and then says so
                    written = os.pwrite(file, words, at)
                    words, at = words[written:], at + written
            os.fdatasync(file)
        except OSError as error:
            if error.errno != ENOSPC:
                raise
            raise self._no_room() from None
        finally:
            os.close(file)

    def _open(self) -> tuple[mmap.mmap, Tensor]:
        with self._file.open("rb") as file:
            pages = private(file.fileno(), self._rows * self._row_bytes)
        return pages, torch.frombuffer(pages, dtype=torch.int32).view(self._rows, -1)

    def _check_room(self) -> None:
        wanted, free = self._rows * self._row_bytes, shutil.disk_usage(self._file.parent).free
        there = self._file.stat().st_blocks * 512 if self._file.exists() else 0
        if wanted > free + there:
            raise self._no_room()

    def _no_room(self) -> FranklinError:
        wanted, free = self._rows * self._row_bytes, shutil.disk_usage(self._file.parent).free
        return FranklinError(
            f"{self.name} mapped into {self._file.parent} takes {wanted / 2**20:,.0f} MiB, and {free / 2**20:,.0f} "
            "are free: make room, name another disk in feed.cache, or say feed.layout=stored, which keeps no file"
        )


@contextmanager
def _locked(file: int, byte: int, *, patient: bool) -> Iterator[bool]:
    """Hold a lock on one byte; whether it is held, which without patience it need not be."""
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | (0 if patient else fcntl.LOCK_NB), 1, byte)
    except BlockingIOError:
        yield False
        return
    try:
        yield True
    finally:
        fcntl.lockf(file, fcntl.LOCK_UN, 1, byte)
