"""Making the next things while the last one is used."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar, cast

A = TypeVar("A")
T = TypeVar("T")


def made_ahead(make: Callable[[A], T], arguments: Iterable[A], *, threads: int, most: int) -> Generator[T]:
    """Give `make(argument)` for each argument, in order; so many at most are made and not given yet."""
    coming = iter(arguments)
    with _threads(threads) as pool:
        made: deque[Future[T]] = deque(pool.submit(make, argument) for argument in islice(coming, most))
        while made:
            item = made.popleft().result()
            made.extend(pool.submit(make, argument) for argument in islice(coming, 1))
            yield item
            del item


def ahead(items: Iterator[T]) -> Generator[T]:
    """Give `items`, each made in a thread while the one before it is used: two are held, no more."""
    end = object()
    with _threads(1) as pool:
        coming = pool.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = pool.submit(next, items, end)
            yield cast("T", item)
            del item


@contextmanager
def _threads(number: int) -> Iterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(number, thread_name_prefix="feed")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
