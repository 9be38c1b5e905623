"""What Petastorm sees as `numpy`."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

string_, unicode_ = np.bytes_, np.str_


def in1d(values: ArrayLike, among: ArrayLike, **options: Any) -> NDArray[np.bool_]:
    """Say of each value, flattened, whether it is among others."""
    return np.isin(np.asarray(values).ravel(), among, **options)


def __getattr__(name: str) -> Any:
    return getattr(np, name)
