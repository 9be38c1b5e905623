"""A person's function in Python between feed and network, through PyTorch's DataLoader."""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from conf.errors import FranklinError
from models.feeds.batch import Batch
from models.feeds.feed import Feed

Transform = Callable[[Batch], Batch]


class Transformed:
    """A feed whose batches a function has changed, in processes of their own if there are `workers`.

    Worker `w` of `k` reads every k-th batch from the w-th on, so the order is that of the feed, and a position is the
    feed's. From the mapped layout a worker reads its own batches only; of the stored one, each worker decodes all.
    """

    def __init__(self, feed: Feed, transform: Transform, workers: int, *, pinned: bool = False) -> None:
        """Change the batches of `feed`; the function is pickled if there are workers.

        Args:
            feed: the batches, in memory.
            transform: what is done to each.
            workers: processes that do it; 0: this one.
            pinned: whether batches are to lie in pinned memory, from where they go to a GPU while it works.

        """
        self._feed, self._transform, self._workers, self._pinned = feed, transform, workers, pinned
        self.set_epoch, self.state_dict, self.load_state_dict = feed.set_epoch, feed.state_dict, feed.load_state_dict

    @property
    def waited(self) -> float:
        """Seconds that whoever iterates has waited for batches."""
        return self._feed.waited

    def __len__(self) -> int:
        """Batches of a whole epoch."""
        return len(self._feed)

    def __iter__(self) -> Iterator[Batch]:
        """Give the changed batches of the current epoch that were not given yet."""
        dataset = _Share(self._feed, self._transform)
        loader = DataLoader(dataset, batch_size=None, num_workers=self._workers, pin_memory=self._pinned)
        return self._feed.counted(iter(loader))


class _Share(IterableDataset[Batch]):
    """What one worker reads and changes."""

    def __init__(self, feed: Feed, transform: Transform) -> None:
        self._feed, self._transform = feed, transform

    def __iter__(self) -> Iterator[Batch]:
        worker: Any = get_worker_info()
        mine = self._feed.batches() if worker is None else self._feed.batches(worker.id, worker.num_workers)
        return (self._transform(batch) if len(batch.label) else batch for batch in mine)  # no rows: another rank's


def find(name: str) -> Transform:
    """Find the function `module:function`.

    Raises:
        FranklinError: there is none of that name.

    """
    module, _, function = name.partition(":")
    try:
        found: Transform = getattr(import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise FranklinError(
            f"feed.transform={name}: {error}; it is `module:function`, and the module must be on Python's path"
        ) from None
    return found
