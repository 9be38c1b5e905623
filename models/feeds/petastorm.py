"""`feed=petastorm`: the stored layout, decoded by Petastorm's reader."""

import numpy as np
import torch
from torch import Tensor

from conf.errors import FranklinError
from conf.manifest import Manifest, SplitName
from conf.petastorm import petastorm
from models.feeds.stored import RowGroup, Stored


class Petastorm(Stored):
    """A split as Spark left it, whose units are whole files.

    Petastorm's readers give the row groups of a file in their order if one worker reads them. Its shards and its
    shuffling are not used: which file is read when is the order's business.
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
        self.groups = [RowGroup(file.path, 0, file.rows) for file in manifest.splits[split].files]

    def words(self, group: RowGroup) -> Tensor:
        """Decode a file into `(rows, width)` words."""
        words = torch.empty(group.rows, self.record.width, dtype=torch.int32)
        done = 0
        with petastorm().make_batch_reader(
            f"file://{self.root}/{group.path}",  # the scheme is not looked at beside a file system
            schema_fields=list(self.record.names),
            filesystem=self.filesystem,
            workers_count=1,
            shuffle_row_groups=False,
        ) as reader:
            for batch in reader:
                columns = [np.asarray(getattr(batch, name)) for name in self.record.names]
                self.record.turn(columns, words[done : done + len(columns[0])])
                done += len(columns[0])
        return words
