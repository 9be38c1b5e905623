"""Tensors as they are stored to tensors as networks take them, for feeds and for the logged model alike."""

from torch import Tensor

from conf.columns import TensorColumn


def for_network(values: Tensor, column: TensorColumn) -> Tensor:
    """Give `(batch, numbers)` its shape: standardised float32, or tokens as int64, `(batch, *shape)`."""
    shaped = values.reshape(len(values), *column.shape)
    return shaped.long() if column.dtype == "int32" else (shaped.float() - column.mean) / column.scale
