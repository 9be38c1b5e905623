"""Raw arrays to the tensors that a network takes, as Spark and a feed make them."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from conf.columns import TensorColumn
from conf.errors import FranklinError
from models.tensors import for_network

if TYPE_CHECKING:
    import pandas as pd

LIMITS: dict[str, tuple[float, float]] = {
    "float32": (-float(np.finfo(np.float32).max), float(np.finfo(np.float32).max)),
    "uint8": (0, 255),
    "int32": (0, 2**31 - 1),
}
SEQUENCES = (list, tuple, np.ndarray)


def encode_tensor(raw: "pd.Series[Any]", column: TensorColumn) -> Tensor:
    """Encode arrays, nested or flat, as `(batch, *shape)`; see `models.tensors.for_network`.

    Raises:
        FranklinError: a row has no array, too many or too few numbers, or numbers that the dtype has no place for.

    """
    values = np.zeros((len(raw), column.size))
    for row, array in enumerate(raw):
        try:
            numbers = _flat(array)
        except (ValueError, TypeError) as error:
            raise FranklinError(f"column {column.name} takes arrays of numbers: row {row} has none ({error})") from None
        if len(numbers) > column.size or (len(numbers) < column.size and not column.pad):
            raise FranklinError(
                f"column {column.name} takes arrays of {column.size} numbers: row {row} has {len(numbers)}"
            )
        values[row, : len(numbers)] = numbers
    low, high = LIMITS[column.dtype]
    within = (values >= low) & (values <= high)  # NaN is not
    if column.dtype != "float32":
        within &= values == np.rint(values)
    if not within.all():
        row, place = np.argwhere(~within)[0]
        raise FranklinError(f"column {column.name} takes {column.dtype}: row {row} has {values[row, place]:g}")
    return for_network(torch.from_numpy(values.astype(column.dtype)), column)


def _flat(array: Any) -> NDArray[np.float64]:
    """The numbers of an array of numbers or of arrays; None is NaN."""
    if not isinstance(array, SEQUENCES):
        raise TypeError(f"{type(array).__name__} is no array")
    if isinstance(array, np.ndarray) and array.dtype != object:
        return array.ravel().astype(np.float64)
    if any(isinstance(part, SEQUENCES) for part in array):
        return np.concatenate([_flat(part) for part in array])
    return np.array(array, dtype=np.float64)
