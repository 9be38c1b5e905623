"""What networks are made of."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from conf.columns import UNKNOWN
from conf.manifest import Manifest

Split = Literal["columns", "rows", "gathered"]  # of a layer over ranks


def embedding_width(cardinality: int, widest: int) -> int:
    """Width of a column's embedding: 1.6 * cardinality ** 0.56, fastai's rule for tables, at most `widest`."""
    return max(1, min(widest, round(1.6 * math.pow(cardinality, 0.56))))


class Codes(nn.Embedding):
    """A vector for each value of each categorical column: `(batch, m)` codes to `(batch, m, width)`.

    All columns share one table, read in one gather, which is faster than a module per column. A column's values
    start at `offsets`. What train never had (UNKNOWN) is 0, the middle of where the others start, and stays there.
    """

    offsets: Tensor

    def __init__(self, cardinalities: list[int], width: int, *, std: float) -> None:
        """Make the table for columns of these cardinalities (at least one), its numbers so far spread."""
        super().__init__(sum(cardinalities), width)
        starts = [sum(cardinalities[:column]) for column in range(len(cardinalities))]
        nn.init.normal_(self.weight, std=std)
        with torch.no_grad():
            self.weight[[start + UNKNOWN for start in starts]] = 0
        self.register_buffer("offsets", torch.tensor(starts), persistent=False)

    def forward(self, codes: Tensor) -> Tensor:
        """Look up `(batch, m)` int64 codes."""
        return super().forward(codes + self.offsets)


class Embeddings(nn.Module):
    """One embedding per categorical column, side by side: `(batch, m)` codes to `(batch, sum of widths)` float32.

    Of each row of the table that they share, a column keeps as many numbers as its own width.
    """

    kept: Tensor

    def __init__(self, cardinalities: list[int], widest: int) -> None:
        """Make the table for columns of these cardinalities (at least one)."""
        super().__init__()
        widths = [embedding_width(cardinality, widest) for cardinality in cardinalities]
        width = max(widths)
        self.out_features = sum(widths)
        self.table = Codes(cardinalities, width, std=0.1)
        kept = [column * width + i for column in range(len(widths)) for i in range(widths[column])]
        self.register_buffer("kept", torch.tensor(kept), persistent=False)

    def forward(self, codes: Tensor) -> Tensor:
        """Look up `(batch, m)` int64 codes."""
        wide: Tensor = self.table(codes).flatten(1)
        return wide if wide.shape[1] == self.out_features else wide.index_select(1, self.kept)


class Grouped(nn.Linear):
    """A linear layer whose outputs come in groups of equal size, which stay together when ranks split it by columns."""

    def __init__(self, width_in: int, groups: int, size: int, noun: str, *, bias: bool = True) -> None:
        """Make one with so many groups of that size, which people call `noun`."""
        super().__init__(width_in, groups * size, bias=bias)
        self.groups, self.noun = groups, noun


class Block(nn.Sequential):
    """Linear, normalisation, activation, dropout: `(batch, width_in)` to `(batch, width)`."""

    splits: ClassVar[Mapping[str, Split]] = {"0": "gathered"}  # normalisation needs all of a row

    def __init__(self, width_in: int, width: int, dropout: float) -> None:
        """Make one block."""
        super().__init__(nn.Linear(width_in, width), nn.LayerNorm(width), nn.GELU(), nn.Dropout(dropout))


def dense(width: int, hidden: Sequence[int], dropout: float) -> Iterator[Block]:
    """Make one fully connected block after the other, from `(batch, width)` on."""
    for wanted in hidden:
        yield Block(width, wanted, dropout)
        width = wanted


class FadingDropout(nn.Module):
    """Dropout whose rate stays through half of a training and falls to 0 in the other (Holzmueller et al. 2024).

    Attributes:
        done: share of the training that is over; whoever trains sets it. A tensor, so compiled code need not change.

    """

    done: Tensor

    def __init__(self, rate: float) -> None:
        """Begin with a rate."""
        super().__init__()
        self.rate = rate
        self.register_buffer("done", torch.zeros(()), persistent=False)

    def forward(self, state: Tensor) -> Tensor:
        """Set numbers to 0 by chance, and the others up."""
        if not self.training or not self.rate:
            return state
        rate = self.rate * 0.5 * (1 + torch.cos(math.pi * (2 * self.done).clamp(1, 2) - math.pi))
        return state * (torch.rand_like(state) >= rate) / (1 - rate)


def prior_logits(manifest: Manifest) -> Tensor:
    """What the trivial predictor says, `(outputs,)`: where training starts, so it need not learn the prior first."""
    if manifest.task == "regression":
        return torch.zeros(1)
    prior = torch.tensor(manifest.label.prior).clamp(min=1e-6)
    return (prior[1] / prior[0]).log().reshape(1) if manifest.task == "binary" else prior.log()
