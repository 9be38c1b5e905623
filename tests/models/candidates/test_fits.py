"""Fits that are done here."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.candidates.fits import predicted
from models.candidates.rows import Rows
from models.evaluation.metrics import Floats
from tests.models.candidates.contests import made_rows

ROWS = made_rows("regression", np.zeros(50), np.arange(50)[:, None])


class Doubling:
    """Predicts twice its number, and remembers how many rows it has had at a time."""

    def __init__(self) -> None:
        """Nothing was predicted yet."""
        self.most = 0

    def predict(self, rows: Rows) -> Floats:
        """Give `(rows,)`."""
        self.most = max(self.most, len(rows))
        return 2.0 * rows.numbers[:, 0]


@given(st.lists(st.integers(0, 49), max_size=60), st.integers(1, 70))
def test_predictions_in_blocks_are_those_of_all_rows_in_their_order(places: list[int], block: int) -> None:
    fitted = Doubling()
    np.testing.assert_array_equal(predicted(fitted, ROWS, np.array(places, int), block), 2.0 * np.array(places))
    np.testing.assert_array_equal(predicted(fitted, ROWS, block=block), 2.0 * np.arange(50))
    assert fitted.most <= block
