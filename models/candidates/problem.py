"""What a linear model is fitted to, and least squares of many rows as those of few."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg, sparse

from models.evaluation.metrics import Floats, Ints

MOST_COLUMNS = 3000  # of a Gram matrix
NO_SPREAD = 1e-12  # of the largest eigenvalue: what is smaller is rounding


@dataclass(frozen=True)
class Problem:
    """What is to be fitted.

    Attributes:
        design: `(rows, columns)`.
        label: `(rows,)` places of classes, or standardised values.
        seed: of solvers that draw rows.
        rows: that it speaks of.
        mean: `(columns,)` what was taken off its columns; None: nothing, so an intercept is to be fitted.

    """

    design: Floats | sparse.csr_array
    label: Floats | Ints
    seed: int
    rows: int
    mean: Floats | None = None

    def take(self, places: Ints) -> "Problem":
        """Those rows alone."""
        return Problem(self.design[places], self.label[places], self.seed, len(places))

    def shortened(self) -> "Problem":
        """Least squares as others of no more rows than columns, with the same sum of squares but for a constant.

        With centred `X'X = V diag(e) V'`, they are those of `diag(e)^(1/2) V'` and `diag(e)^(-1/2) V'X'y` (Golub and
        Van Loan 2013, section 5.3); directions in which rows have no spread are left out. Problems with too many
        columns stay as they are.
        """
        if self.design.shape[1] > MOST_COLUMNS:
            return self
        product: Any = self.design.T @ self.design
        gram = product.toarray() if sparse.issparse(product) else product
        mean = np.asarray(self.design.mean(axis=0)).ravel()
        centred = gram - self.rows * np.outer(mean, mean)
        spread, directions = linalg.eigh(centred)
        kept = spread > NO_SPREAD * max(spread.max(initial=0.0), 1.0)
        if not kept.any():  # every column is constant
            return Problem(np.zeros((1, len(mean))), np.zeros(1), self.seed, self.rows, mean)
        roots, directions = np.sqrt(spread[kept]), directions[:, kept]
        moments = self.design.T @ (self.label - self.label.mean())
        return Problem(roots[:, None] * directions.T, directions.T @ moments / roots, self.seed, self.rows, mean)
