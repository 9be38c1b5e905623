"""A row as words of four bytes: what feeds gather, and how words become a batch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from conf.columns import TensorColumn
from conf.data import Task
from conf.manifest import Manifest
from models.feeds.batch import Batch
from models.feeds.packed import numbers, pack, rows_of_numbers, unpack, words_of
from models.tensors import for_network

WORD_BYTES = 4


@dataclass(frozen=True)
class Record:
    """Float32 of the numeric columns, int32 codes of the categorical ones, the tensors, and the label.

    The label is int32 if it is one of several classes, else float32; that of a sequence is in its tokens, and has no
    word. Words are kept as int32, whatever they mean. `scalars` counts the columns of one word, without the label.
    """

    names: tuple[str, ...]
    numeric: int
    scalars: int
    tensors: tuple[TensorColumn, ...]
    task: Task

    @classmethod
    def of(cls, manifest: Manifest) -> "Record":
        """Make the record of a feature set's encoded columns."""
        scalars = (*manifest.numeric, *(column.name for column in manifest.categorical))
        tensors = tuple(manifest.tensors)
        label = () if manifest.task == "sequence" else (manifest.label.name,)
        names = (*scalars, *(column.name for column in tensors), *label)
        return cls(names, len(manifest.numeric), len(scalars), tensors, manifest.task)

    @property
    def labels(self) -> int:
        """Words of a row's label."""
        return 0 if self.task == "sequence" else 1

    @property
    def width(self) -> int:
        """Words of a row."""
        return self.scalars + sum(map(words_of, self.tensors)) + self.labels

    def fill(self, columns: Sequence[NDArray[Any]], out: Tensor) -> None:
        """Copy columns, in the order of `names`, to the words of `out`, `(rows, width)`, column by column in memory.

        Those of tensors are `(rows, size)`.
        """
        places = [*range(self.scalars), *range(self.width - self.labels, self.width)]
        others = self.scalars + len(self.tensors)
        for place, values in zip(places, [*columns[: self.scalars], *columns[others:]], strict=True):
            is_float = place < self.numeric or (place >= self.scalars and self.task != "multiclass")
            words = values.astype(np.float32 if is_float else np.int32, copy=False).view(np.int32)
            out.t().numpy()[place] = words
        for (tensor, part), values in zip(self._tensors(out), columns[self.scalars : others], strict=True):
            part[:] = pack(values, tensor)

    def batch(self, words: Tensor, weight: float = 1.0) -> Batch:
        """Make a batch of `(rows, width)` words; its numbers are a view of them."""
        floats = words.view(torch.float32)
        tensors = tuple(for_network(unpack(part, tensor), tensor) for tensor, part in self._tensors(words))
        if self.task == "sequence":
            (tokens,) = tensors
            tensors, label = (tokens[:, :-1],), tokens[:, 1:]
        else:
            label = words[:, -1].long() if self.task == "multiclass" else floats[:, -1]
        return Batch(floats[:, : self.numeric], words[:, self.numeric : self.scalars].long(), tensors, label, weight)

    def example(self, rows: int) -> Batch:
        """A batch of zeros."""
        return self.batch(torch.zeros(rows, self.width, dtype=torch.int32))

    def _tensors(self, words: Tensor) -> Iterator[tuple[TensorColumn, Tensor]]:
        """Each tensor column with its words."""
        start = self.scalars
        for tensor in self.tensors:
            stop = start + words_of(tensor)
            yield tensor, words[:, start:stop]
            start = stop

    def columns(self, batch: pa.RecordBatch) -> list[NDArray[Any]]:
        """The columns of a batch from Parquet, in the order of `names`, as `fill` takes them."""
        tensors = {column.name: column for column in self.tensors}
        return [
            rows_of_numbers(batch.column(name), tensors[name]) if name in tensors else numbers(batch.column(name))
            for name in self.names
        ]


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
