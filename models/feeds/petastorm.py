"""`feed=petastorm`: the stored layout, decoded by Petastorm's readers."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from conf.errors import FranklinError
from conf.manifest import Manifest, SplitName
from conf.petastorm import petastorm
from models.feeds.stored import RowGroup, Stored


class Petastorm(Stored):
    """A split as Spark left it.

    Its units are whole files, whose row groups `make_batch_reader` gives in their order if one worker reads them.
    Where Spark wrote tensors by a codec, its units are row groups: `make_reader`, which decodes row by row as the
    Unischema beside the files says, takes the whole split, and gives each row group as a shard of its own.
    Which is read when is the order's business, so nothing is shuffled here.
    """

    def __init__(self, folder: str, manifest: Manifest, split: SplitName, memory_bytes: int) -> None:
        """Name the files; nothing is read yet.

        Raises:
            FranklinError: a column has a name that Petastorm can't give to a field.

        """
        super().__init__(folder, manifest, split, memory_bytes)
        for name in self.record.names:
            if not name.isidentifier() or name.startswith("_"):
                raise FranklinError(
                    f"feed=petastorm can't read the column '{name}', which is no name of Python: "
                    "rename it, or take feed=arrow"
                )
        self._split: str = split
        self._by_codec = any(column.codec == "ndarray" for column in manifest.tensors)
        if not self._by_codec:
            self.groups = [RowGroup(file.path, 0, file.rows) for file in manifest.splits[split].files]

    def words(self, groups: Sequence[RowGroup]) -> Tensor:
        """Decode files or row groups into `(rows, width)` words, column by column in memory."""
        words = torch.empty(self.record.width, sum(group.rows for group in groups), dtype=torch.int32).t()
        done = expected = 0
        for group in groups:
            expected += group.rows
            for columns in self._rows(group) if self._by_codec else self._batches(group):
                self.record.fill(columns, words[done : done + len(columns[0])])
                done += len(columns[0])
            if done != expected:
                raise RuntimeError(f"{group.path}: Petastorm gave {done - expected:+} rows beside {group.rows}")
        return words

    def _batches(self, file: RowGroup) -> Iterator[list[Any]]:
        with self._reader(petastorm().make_batch_reader, file.path) as reader:
            for batch in reader:
                yield [np.asarray(getattr(batch, name)) for name in self.record.names]

    def _rows(self, group: RowGroup) -> Iterator[list[Any]]:
        shard = {"cur_shard": self.groups.index(group), "shard_count": len(self.groups)}
        with self._reader(petastorm().make_reader, self._split, **shard) as reader:
            rows = list(reader)
        yield [np.stack([getattr(row, name) for row in rows]) for name in self.record.names]

    def _reader(self, make: Callable[..., Any], place: str, **shard: int) -> Any:
        return make(
            f"file://{self.root}/{place}",  # the scheme is not looked at beside a file system
            schema_fields=list(self.record.names),
            filesystem=self.filesystem,
            workers_count=1,
            shuffle_row_groups=False,
            **shard,
        )
