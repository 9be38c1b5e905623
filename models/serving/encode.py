"""Raw rows to what the network takes: the encodings of `conf.columns`, as Spark did them for training, in NumPy."""

from math import pi, sqrt
from zlib import crc32

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from conf.columns import (
    MISSING,
    RARE,
    RESERVED_CODES,
    UNKNOWN,
    Categorical,
    CodeColumn,
    Cyclic,
    Hashed,
    NumberColumn,
    Numeric,
    Quantile,
    Target,
)
from conf.errors import FranklinError
from conf.manifest import Manifest
from models.serving.tensors import encode_tensor

Floats = NDArray[np.float64]


def encode(frame: pd.DataFrame, manifest: Manifest) -> tuple[Tensor, ...]:
    """Encode raw rows; None and NaN are missing, columns may come in any order, and others are ignored.

    Args:
        frame: raw rows, the columns of `Manifest.raw`.
        manifest: how the columns were encoded for training.

    Returns:
        What networks take (see `models.networks`): `(batch, n)` float32, `(batch, m)` int64 codes, and each tensor.

    Raises:
        FranklinError: a column is missing, or one has values that it cannot take.

    """
    absent = [column.name for column in manifest.columns if column.name not in frame]
    if absent:
        raise FranklinError(f"the rows lack {', '.join(absent)}; the model takes {', '.join(manifest.raw)}")
    numeric = np.empty((len(frame), len(manifest.numeric)), dtype=np.float32)
    categorical = np.empty((len(frame), len(manifest.categorical)), dtype=np.int64)
    tensors = []
    filled = coded = 0
    for column in manifest.columns:
        if isinstance(column, NumberColumn):
            for values in _encoded(frame[column.name], column):
                numeric[:, filled] = values
                filled += 1
        elif isinstance(column, CodeColumn):
            categorical[:, coded] = _codes(frame[column.name], column)
            coded += 1
        else:
            tensors.append(encode_tensor(frame[column.name], column))
    return torch.from_numpy(numeric), torch.from_numpy(categorical), *tensors


def _encoded(raw: "pd.Series[float]", column: NumberColumn) -> list[Floats]:
    """Return the encoded columns of a raw one."""
    if isinstance(column, Target):
        return _means(raw, column)
    values = _times(raw) if isinstance(column, Cyclic) and column.of == "time" else _numbers(raw, column.name)
    missing = np.isnan(values)
    if isinstance(column, Numeric):
        encoded = [(values - column.mean) / column.scale]
    elif isinstance(column, Quantile):
        encoded = [(np.interp(values, column.points, column.shares) - 0.5) * sqrt(12)]
    else:
        turns = [np.mod(values, period) * (2 * pi / period) for period in column.periods.values()]
        encoded = [part for turn in turns for part in (np.sin(turn), np.cos(turn))]
    found = [np.where(missing, 0.0, one) for one in encoded]
    return [*found, missing.astype(np.float64)] if column.indicator else found


def _numbers(values: "pd.Series[float]", name: str) -> Floats:
    try:
        return pd.to_numeric(values).to_numpy(np.float64, na_value=np.nan)
    except (ValueError, TypeError) as error:
        raise FranklinError(f"column {name} must hold numbers: {error}") from None


def _times(values: "pd.Series[float]") -> Floats:
    """Seconds since 1970, UTC, whole ones."""
    try:
        times = pd.to_datetime(values, utc=True, format="ISO8601")
    except (ValueError, TypeError) as error:
        raise FranklinError(f"column {values.name} must hold times such as 2013-01-31T05:00:00Z: {error}") from None
    seconds = (times - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
    return np.floor(np.asarray(seconds, dtype=np.float64))


def _means(values: "pd.Series[float]", column: Target) -> list[Floats]:
    table = np.array([*column.means, [0.0] * len(column.missing), column.missing])
    known = {value: place for place, value in enumerate(column.vocabulary)}
    places, distinct = pd.factorize(values)
    rows = np.array([*(known.get(str(value), -2) for value in distinct), -1])[places]
    return list(table[rows].T)


def _codes(values: "pd.Series[str]", column: CodeColumn) -> NDArray[np.int64]:
    places, distinct = pd.factorize(values)
    codes = (
        [_code(str(value), column) for value in distinct] if isinstance(column, Hashed) else _places(distinct, column)
    )
    return np.array([*codes, MISSING], dtype=np.int64)[places]  # a missing value's place is -1, the last


def _code(value: str, column: Hashed) -> int:
    return crc32(value.encode()) % column.buckets + RESERVED_CODES


def _places(distinct: "pd.Index[str]", column: Categorical) -> list[int]:
    known = dict.fromkeys(column.rare or (), RARE)
    known |= {value: RESERVED_CODES + place for place, value in enumerate(column.vocabulary)}
    other = RARE if column.rare is None else UNKNOWN
    return [known.get(str(value), other) for value in distinct]
