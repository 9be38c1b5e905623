"""A row as words of four bytes: what feeds gather, and how words become a batch."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from conf.manifest import Manifest
from models.feeds.batch import Batch

WORD_BYTES = 4


@dataclass(frozen=True)
class Record:
    """Float32 of the numeric columns, int32 codes of the categorical ones, and the label.

    The label is int32 if it is one of several classes, else float32. Words are kept as int32, whatever they mean.
    """

    names: tuple[str, ...]
    numeric: int
    label_is_class: bool

    @classmethod
    def of(cls, manifest: Manifest) -> "Record":
        """Make the record of a feature set's encoded columns."""
        names = (*manifest.numeric, *(column.name for column in manifest.categorical), manifest.label.name)
        return cls(names, len(manifest.numeric), manifest.task == "multiclass")

    @property
    def width(self) -> int:
        """Words of a row."""
        return len(self.names)

    def turn(self, columns: pa.RecordBatch) -> Tensor:
        """Turn columns into `(rows, width)` words."""
        block = np.empty((self.width, columns.num_rows), np.int32)
        for word, name in zip(block, self.names, strict=True):
            values = columns.column(name).to_numpy()
            is_label = name == self.names[-1]
            word[:] = (values.astype(np.float32) if is_label and not self.label_is_class else values).view(np.int32)
        return torch.from_numpy(block).t().contiguous()

    def batch(self, words: Tensor) -> Batch:
        """Make a batch of `(rows, width)` words; its numbers are a view of them."""
        floats = words.view(torch.float32)
        label = words[:, -1].long() if self.label_is_class else floats[:, -1]
        return Batch(floats[:, : self.numeric], words[:, self.numeric : -1].long(), label)


@dataclass(frozen=True)
class Rows:
    """Rows to take batches from: all of `words`, or those that `places` names, in that order."""

    words: Tensor
    places: Tensor | None = None

    def __len__(self) -> int:
        """Rows."""
        return len(self.words if self.places is None else self.places)

    def take(self, low: int, high: int) -> Tensor:
        """The words of the rows `[low, high)`."""
        if self.places is None:
            return self.words[low:high]
        return torch.index_select(self.words, 0, self.places[low:high])
