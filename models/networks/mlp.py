"""Embeddings for categories, then fully connected blocks."""

import math

import torch
from torch import Tensor, nn

from conf.manifest import Manifest
from conf.schema import Mlp


def embedding_width(cardinality: int, widest: int) -> int:
    """Width of a column's embedding: 1.6 * cardinality ** 0.56, fastai's rule for tables, at most `widest`."""
    return max(1, min(widest, round(1.6 * math.pow(cardinality, 0.56))))


class Embeddings(nn.Module):
    """One embedding per categorical column, side by side: `(batch, m)` codes to `(batch, sum of widths)` float32.

    All columns share one table, read in one gather, which is faster than a module per column. A column's values
    start at `offsets`; of each row of the table, a column keeps as many numbers as its own width.
    """

    offsets: Tensor
    kept: Tensor

    def __init__(self, cardinalities: list[int], widest: int) -> None:
        """Make the table for columns of these cardinalities (at least one)."""
        super().__init__()
        widths = [embedding_width(cardinality, widest) for cardinality in cardinalities]
        width = max(widths)
        self.columns = len(widths)
        self.out_features = sum(widths)
        self.table = nn.Embedding(sum(cardinalities), width)
        nn.init.normal_(self.table.weight, std=0.1)
        starts = [sum(cardinalities[:column]) for column in range(self.columns)]
        kept = [column * width + i for column in range(self.columns) for i in range(widths[column])]
        self.register_buffer("offsets", torch.tensor(starts), persistent=False)
        self.register_buffer("kept", torch.tensor(kept), persistent=False)

    def forward(self, codes: Tensor) -> Tensor:
        """Look up `(batch, m)` int64 codes."""
        wide: Tensor = self.table(codes + self.offsets).flatten(1)
        return wide if wide.shape[1] == self.out_features else wide.index_select(1, self.kept)


class Block(nn.Sequential):
    """Linear, normalisation, activation, dropout: `(batch, width_in)` to `(batch, width)`."""

    def __init__(self, width_in: int, width: int, dropout: float) -> None:
        """Make one block."""
        super().__init__(nn.Linear(width_in, width), nn.LayerNorm(width), nn.GELU(), nn.Dropout(dropout))


class MlpNetwork(nn.Module):
    """A multi-layer perceptron for tables.

    Attributes:
        blocks: the hidden blocks in order; what parallelism shards, checkpoints or cuts into stages.

    """

    def __init__(self, model: Mlp, manifest: Manifest) -> None:
        """Make the network for the columns, the label and the task of `manifest`."""
        super().__init__()
        cardinalities = [column.cardinality for column in manifest.categorical]
        self.embeddings = Embeddings(cardinalities, model.embedding_max) if cardinalities else None
        width = len(manifest.numeric) + (self.embeddings.out_features if self.embeddings else 0)
        self.blocks = nn.ModuleList()
        for hidden in model.hidden:
            self.blocks.append(Block(width, hidden, model.dropout))
            width = hidden
        self.head = nn.Linear(width, len(manifest.label.classes) if manifest.task == "multiclass" else 1)
        with torch.no_grad():
            self.head.bias.copy_(prior_logits(manifest))

    def forward(self, numeric: Tensor, categorical: Tensor) -> Tensor:
        """Map `(batch, n)` float32 and `(batch, m)` int64 codes to `(batch, outputs)`; see `models.networks.build`."""
        row = numeric if self.embeddings is None else torch.cat((numeric, self.embeddings(categorical)), dim=1)
        for block in self.blocks:
            row = block(row)
        output: Tensor = self.head(row)
        return output


def prior_logits(manifest: Manifest) -> Tensor:
    """What the trivial predictor says, `(outputs,)`: where training starts, so it need not learn the prior first."""
    if manifest.task == "regression":
        return torch.zeros(1)
    prior = torch.tensor(manifest.label.prior).clamp(min=1e-6)
    return prior.log() if manifest.task == "multiclass" else (prior[1] / prior[0]).log().reshape(1)
