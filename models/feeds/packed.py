"""Tensor columns in words of four bytes: from Parquet to a row's words, and from words back to numbers."""

from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from conf.columns import TensorColumn

DTYPES = {"float32": torch.float32, "uint8": torch.uint8, "int32": torch.int32}
NUMBERS = {
    kind: np.dtype(name)
    for kind, name in (
        *((pa.float32(), "f4"), (pa.float64(), "f8")),
        *((pa.int16(), "i2"), (pa.int32(), "i4"), (pa.int64(), "i8")),
    )
}


def words_of(column: TensorColumn) -> int:
    """Words of a row: numbers of one byte are packed four to a word."""
    return -(-column.size * DTYPES[column.dtype].itemsize // 4)


def numbers(column: pa.Array) -> NDArray[Any]:
    """View a column of numbers without nulls; `to_numpy` would import pandas, half a second before the first batch."""
    kind = NUMBERS[column.type]
    return np.frombuffer(column.buffers()[1], kind, len(column), column.offset * kind.itemsize)


def rows_of_numbers(stored: pa.Array, column: TensorColumn) -> NDArray[Any]:
    """Read a tensor column, `(rows, size)`: the numbers of lists, or what NumPy's `save` wrote of them.

    That is a header, the same for every row of a column, and then the numbers in C order (`numpy.lib.format`).
    """
    if column.codec == "list":
        return numbers(stored.flatten()).reshape(len(stored), column.size)
    _, offsets, content = stored.buffers()
    ends = np.frombuffer(offsets, np.int32, len(stored) + 1, stored.offset * 4)
    saved = np.frombuffer(content, np.uint8, ends[-1] - ends[0], ends[0]).reshape(len(stored), -1)
    bytes_ = column.size * np.dtype(column.dtype).itemsize
    return np.ascontiguousarray(saved[:, -bytes_:]).view(column.dtype)


def pack(values: NDArray[Any], column: TensorColumn) -> Tensor:
    """Turn `(rows, size)` numbers, or rows of any other shape, into `(rows, words)` int32."""
    whole = np.zeros((len(values), words_of(column) * 4 // np.dtype(column.dtype).itemsize), column.dtype)
    whole[:, : column.size] = values.reshape(len(values), -1)
    return torch.from_numpy(whole.view(np.int32))


def unpack(words: Tensor, column: TensorColumn) -> Tensor:
    """Turn `(rows, words)` int32 back into `(rows, size)` numbers of the column's dtype."""
    laid = words.clone(memory_format=torch.contiguous_format)  # whatever the strides, which a view as bytes minds
    return laid.view(DTYPES[column.dtype])[:, : column.size]
