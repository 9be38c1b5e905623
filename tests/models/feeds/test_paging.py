"""Pages of a map that memory doesn't hold are asked for before they are needed."""

import ctypes
import mmap
import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from models.feeds.paging import MISSED, Pager
from models.feeds.units import Stretch

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at Linux's page cache")

PAGES, APART = 64, 64  # pages that are looked at, and how many lie between two of them


@pytest.fixture
def cold(tmp_path: Path) -> tuple[mmap.mmap, Tensor]:
    """A map of a file of which nothing is in memory, and its bytes, a row for each page."""
    path = tmp_path / "rows"
    path.write_bytes(bytes(PAGES * APART * mmap.PAGESIZE))
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    words = torch.frombuffer(pages, dtype=torch.uint8).view(-1, mmap.PAGESIZE)
    if in_memory(words, 0):
        pytest.skip("this disk is in memory")
    return pages, words


def in_memory(words: Tensor, page: int) -> bool:
    """Whether a page is in the system's cache."""
    found = (ctypes.c_ubyte * 1)()
    address = ctypes.c_void_p(words[page].data_ptr())
    assert ctypes.CDLL(None).mincore(address, ctypes.c_size_t(mmap.PAGESIZE), found) == 0
    return bool(found[0] & 1)


def test_what_is_missing_is_read_alone_and_what_is_asked_for_ahead(cold: tuple[mmap.mmap, Tensor]) -> None:
    """A page that is touched brings no neighbours in; units that are asked for are there without being touched."""
    pages, words = cold
    pager = Pager(pages, row_bytes=mmap.PAGESIZE)
    early, late = np.arange(0, PAGES, 2) * APART, np.arange(1, PAGES, 2) * APART
    words[early].sum()
    assert len(early) > MISSED
    assert pager.missed()
    assert not pager.missed()
    assert not any(in_memory(words, page + APART // 2) for page in early)

    pager.ask(Stretch(late, late, np.arange(len(late) + 1)))
    patient_until = time.monotonic() + 30
    while not all(in_memory(words, page) for page in late):
        assert time.monotonic() < patient_until
        time.sleep(0.01)
    words[late].sum()
    assert not pager.missed()
