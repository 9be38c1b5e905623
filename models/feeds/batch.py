"""What a feed hands to a network."""

from typing import NamedTuple

from torch import Tensor


class Batch(NamedTuple):
    """Some rows of a split.

    Attributes:
        numeric: `(batch, n)` float32, the columns of `Manifest.numeric`.
        categorical: `(batch, m)` int64 codes, the columns of `Manifest.categorical`.
        tensors: `(batch, *shape)` each, the columns of `Manifest.tensors`: standardised float32, or int64 tokens.
        label: `(batch,)` float32 (binary: 0 or 1; regression: the label's own unit) or int64 (multiclass).

    """

    numeric: Tensor
    categorical: Tensor
    tensors: tuple[Tensor, ...]
    label: Tensor

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What a network takes, in order; see `models.networks`."""
        return (self.numeric, self.categorical, *self.tensors)
