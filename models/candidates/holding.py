"""Rows that a fit holds out of its own ones, to see when to stop."""

import numpy as np

from models.candidates.rows import Rows
from models.evaluation.metrics import Ints


def hold_out(rows: Rows, share: float, seed: int) -> tuple[Ints, Ints]:
    """Part places into those to learn from and those to stop by: the newest days, whole groups, or any rows.

    At least one row is on each side, if there are two.
    """
    wanted = max(1, round(len(rows) * share))
    generator = np.random.default_rng(seed)
    keys, key = (None, None) if rows.where is None else np.unique(rows.where, return_inverse=True)
    if keys is None or key is None or len(keys) == 1:
        places = generator.permutation(len(rows))
        return np.sort(places[wanted:]), np.sort(places[:wanted])
    turn = generator.permutation(len(keys)) if rows.columns.where == "group" else np.arange(len(keys))[::-1]
    rank = turn[key]  # of the row's day or group: the lowest ones are held out
    last = min(int(np.searchsorted(np.cumsum(np.bincount(rank)), wanted)), len(keys) - 2)
    return np.flatnonzero(rank > last), np.flatnonzero(rank <= last)
