"""What a feed hands to a network."""

from typing import NamedTuple

from torch import Tensor


class Batch(NamedTuple):
    """Some rows of a split.

    Attributes:
        numeric: `(batch, n)` float32, the columns of `Manifest.numeric`.
        categorical: `(batch, m)` int64 codes, the columns of `Manifest.categorical`.
        tensors: `(batch, *shape)` each, the columns of `Manifest.tensors`: standardised float32, or int64 tokens; of a
            sequence, `(batch, places)`, all tokens but the last.
        label: `(batch,)` float32 (binary: 0 or 1; regression: the label's own unit) or int64 (multiclass); of a
            sequence, `(batch, places)` int64, the token that follows each place.
        weight: rows of this batch over the mean number of rows that ranks have in this step. The mean over ranks of
            their batches' mean losses, each times its weight, is the mean loss of the step's rows.

    """

    numeric: Tensor
    categorical: Tensor
    tensors: tuple[Tensor, ...]
    label: Tensor
    weight: float = 1.0

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What a network takes, in order; see `models.networks`."""
        return (self.numeric, self.categorical, *self.tensors)
