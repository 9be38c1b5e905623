"""Files mapped into memory such that who writes into the pages changes a copy of its own."""

import mmap

NO_RESERVE = 0x4000  # of Linux; named by `mmap` from Python 3.13 on


def private(file: int, size: int) -> mmap.mmap:
    """Map so many bytes of an open file, which may be more than memory and swap: no room is reserved for copies."""
    flags, access = mmap.MAP_PRIVATE | NO_RESERVE, mmap.PROT_READ | mmap.PROT_WRITE
    return mmap.mmap(file, size, flags=flags, prot=access)
