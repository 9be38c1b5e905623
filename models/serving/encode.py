"""Raw rows to what the network takes: the encoding of `conf.manifest`, as Spark did it for training, in numpy."""

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from conf.errors import FranklinError
from conf.manifest import MISSING, RESERVED_CODES, UNKNOWN, Categorical, Manifest, Numeric


def encode(frame: pd.DataFrame, manifest: Manifest) -> tuple[Tensor, Tensor]:
    """Encode raw rows; None and NaN are missing, columns may come in any order, and others are ignored.

    Args:
        frame: raw rows, the columns of `Manifest.raw`.
        manifest: how the columns were encoded for training.

    Returns:
        `(batch, n)` float32 and `(batch, m)` int64 codes.

    Raises:
        FranklinError: a column is missing, or a numeric one has values that are no numbers.

    """
    absent = [column.name for column in manifest.columns if column.name not in frame]
    if absent:
        raise FranklinError(f"the rows lack {', '.join(absent)}; the model takes {', '.join(manifest.raw)}")
    numeric = np.empty((len(frame), len(manifest.numeric)), dtype=np.float32)
    categorical = np.empty((len(frame), len(manifest.categorical)), dtype=np.int64)
    filled = coded = 0
    for column in manifest.columns:
        if isinstance(column, Numeric):
            values = _numbers(frame[column.name], column.name)
            missing = np.isnan(values)
            numeric[:, filled] = np.where(missing, 0.0, (values - column.mean) / column.scale)
            if column.indicator:
                numeric[:, filled + 1] = missing
            filled += len(column.encoded)
        else:
            categorical[:, coded] = _codes(frame[column.name], column)
            coded += 1
    return torch.from_numpy(numeric), torch.from_numpy(categorical)


def _numbers(values: "pd.Series[float]", name: str) -> NDArray[np.float64]:
    try:
        return pd.to_numeric(values).to_numpy(np.float64, na_value=np.nan)
    except (ValueError, TypeError) as error:
        raise FranklinError(f"column {name} must hold numbers: {error}") from None


def _codes(values: "pd.Series[str]", column: Categorical) -> NDArray[np.int64]:
    known = {value: RESERVED_CODES + place for place, value in enumerate(column.vocabulary)}
    places, distinct = pd.factorize(values)
    codes = [known.get(str(value), UNKNOWN) for value in distinct]
    return np.array([*codes, MISSING], dtype=np.int64)[places]  # a missing value's place is -1, the last
