"""A row as words of four bytes: what feeds gather, and how words become a batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from conf.manifest import Manifest
from models.feeds.batch import Batch

WORD_BYTES = 4
CHUNK_ROWS = 4096  # turned from columns to rows at a time: they stay in the processor's cache


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

    def turn(self, columns: Sequence[NDArray[Any]], out: Tensor) -> None:
        """Turn columns, in the order of `names`, into the words of `out`, `(rows, width)`."""
        for start in range(0, len(out), CHUNK_ROWS):
            piece = out[start : start + CHUNK_ROWS]
            block = np.empty((self.width, len(piece)), np.int32)
            for number, (word, values) in enumerate(zip(block, columns, strict=True)):
                is_float = number < self.numeric or (number + 1 == self.width and not self.label_is_class)
                kind = np.float32 if is_float else np.int32
                word[:] = values[start : start + len(piece)].astype(kind, copy=False).view(np.int32)
            piece.copy_(torch.from_numpy(block).t())

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
