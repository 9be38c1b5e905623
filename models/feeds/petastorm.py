"""`feed=petastorm`: the stored layout, decoded by Petastorm's readers."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from conf.errors import FranklinError
from conf.manifest import Manifest, SplitName
from conf.petastorm import petastorm
from models.feeds.alone import DESCRIPTION, Alone
from models.feeds.stored import RowGroup, Stored


class Petastorm(Stored):
    """A split as Spark left it.

    Its units are whole files, whose row groups `make_batch_reader` gives in their order if one worker reads them.
    Where Spark wrote tensors by a codec, its units are row groups: `make_reader`, which decodes row by row as the
    Unischema beside the files says, gives each row group as a shard of its file.
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
        files = manifest.splits[split].files
        self._shards = {file.path: len(file.row_groups) for file in files}
        self._by_codec = any(column.codec == "ndarray" for column in manifest.tensors)
        if not self._by_codec:
            self.groups = [RowGroup(file.path, 0, file.rows) for file in files]

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
        alone = Alone(self.filesystem, self.root, file.path)
        with self._reader(petastorm().make_batch_reader, file.path, alone) as reader:
            for batch in reader:
                yield [np.asarray(getattr(batch, name)) for name in self.record.names]

    def _rows(self, group: RowGroup) -> Iterator[list[Any]]:
        alone = Alone(self.filesystem, self.root, group.path, self._description)
        shard = {"cur_shard": group.number, "shard_count": self._shards[group.path]}
        with self._reader(petastorm().make_reader, group.path.rpartition("/")[0], alone, **shard) as reader:
            rows = list(reader)
        yield [np.stack([getattr(row, name) for row in rows]) for name in self.record.names]

    @cached_property
    def _description(self) -> bytes:
        """The Unischema, and how many row groups each file has."""
        folder = self.groups[0].path.rpartition("/")[0]
        content: bytes = self.filesystem.cat_file(f"{self.root}/{folder}/{DESCRIPTION}")
        return content

    def _reader(self, make: Callable[..., Any], place: str, alone: Alone, **shard: int) -> Any:
        return make(
            f"file:///{place}",  # the scheme is not looked at beside a file system
            schema_fields=list(self.record.names),
            filesystem=alone,
            workers_count=1,
            shuffle_row_groups=False,
            **shard,
        )
