"""Reading ahead in a map whose rows are gathered from all over it, where memory doesn't hold all of the file.

By itself, the system reads megabytes around each page that is missing: of 13 GiB of rows, gathered in 1.3 GiB of
memory, it read two terabytes in half an epoch. Told that the order is random, it reads single pages, and waits for
each. So the pages of the next window are asked for while this one is used; but only if pages were missing, since asking
takes as long as gathering does.
"""

import mmap
import resource

from models.feeds.units import Stretch

MISSED = 8  # pages that a window may miss before the next one is asked for


class Pager:
    """Asks for the pages of units."""

    def __init__(self, pages: mmap.mmap, row_bytes: int) -> None:
        """Read no more than what is asked for or missing."""
        self._pages, self._row_bytes = pages, row_bytes
        self._faults = _faults()
        pages.madvise(mmap.MADV_RANDOM)

    def missed(self) -> bool:
        """Whether pages had to be waited for since this was last asked."""
        faults, self._faults = self._faults, _faults()
        return self._faults - faults > MISSED

    def ask(self, stretch: Stretch) -> None:
        """Have the system read some units, without waiting for it."""
        for first, low, high in zip(stretch.firsts, stretch.starts, stretch.starts[1:], strict=False):
            start = int(first) * self._row_bytes // mmap.PAGESIZE * mmap.PAGESIZE
            stop = min(int(first + high - low) * self._row_bytes, len(self._pages))
            self._pages.madvise(mmap.MADV_WILLNEED, start, stop - start)


def _faults() -> int:
    """Pages that this process had to wait for."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_majflt
