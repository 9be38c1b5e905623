"""Raw arrays to the tensors that a network takes, as Spark and a feed make them."""

from collections.abc import Iterable
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
    """Encode arrays, nested or flat, or texts as `(batch, *shape)`; see `models.tensors.for_network`.

    Raises:
        FranklinError: a row has no array, too many or too few numbers, or numbers that the dtype has no place for; or
            it has no text, or a longer or shorter one.

    """
    if column.vocabulary:
        return _whole(encode_text(raw, column), column)
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


def encode_text(raw: Iterable[Any], column: TensorColumn) -> list[Tensor]:
    """Encode texts of any length as int64 tokens, `(characters,)` each.

    Raises:
        FranklinError: a row has no text, or an empty one.

    """
    places = {character: place for place, character in enumerate(column.vocabulary, 1)}
    found = []
    for row, text in enumerate(raw):
        if not isinstance(text, str) or not text:
            raise FranklinError(f"column {column.name} takes texts: row {row} has none")
        found.append(torch.tensor([places.get(character, 0) for character in text]))
    return found


def _whole(texts: list[Tensor], column: TensorColumn) -> Tensor:
    for row, tokens in enumerate(texts):
        if len(tokens) != column.size:
            raise FranklinError(
                f"column {column.name} takes texts of {column.size} characters: row {row} has {len(tokens)}"
            )
    return torch.stack(texts) if texts else torch.empty((0, column.size), dtype=torch.int64)


def _flat(array: Any) -> NDArray[np.float64]:
    """The numbers of an array of numbers or of arrays; None is NaN."""
    if not isinstance(array, SEQUENCES):
        raise TypeError(f"{type(array).__name__} is no array")
    if isinstance(array, np.ndarray) and array.dtype != object:
        return array.ravel().astype(np.float64)
    if any(isinstance(part, SEQUENCES) for part in array):
        return np.concatenate([_flat(part) for part in array])
    return np.array(array, dtype=np.float64)
