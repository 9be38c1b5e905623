"""Residual blocks for tables: Gorishniy et al. 2021, "Revisiting Deep Learning Models for Tabular Data", section 3.2.

Rows are normalised by themselves (LayerNorm), where the paper has BatchNorm: there are no running statistics, which
ranks would have to share, and parts of a batch give what the whole batch does.
"""

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn

from conf.manifest import Manifest
from conf.networks import Resnet
from models.networks.network import Flat, Network, normalised_head
from models.networks.parts import Split


class ResidualBlock(nn.Module):
    """Normalisation, linear, ReLU, dropout, linear, dropout, added to what it takes: `(batch, width)` to the same.

    What goes from block to block is added to alone, so a gradient reaches the first of hundreds of blocks undamped.
    """

    splits: ClassVar[Mapping[str, Split]] = {"first": "columns", "second": "rows"}

    def __init__(self, width: int, hidden: int, dropout: float, residual_dropout: float) -> None:
        """Make one that is `hidden` wide between its layers."""
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.first, self.second = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.between = nn.Sequential(nn.ReLU(), nn.Dropout(dropout))
        self.dropout = nn.Dropout(residual_dropout)

    def forward(self, state: Tensor) -> Tensor:
        """Add to the state."""
        changed: Tensor = state + self.dropout(self.second(self.between(self.first(self.norm(state)))))
        return changed


class Widened(nn.Module):
    """All columns laid flat, then linear: the first state, `(batch, width)`."""

    def __init__(self, manifest: Manifest, widest: int, width: int) -> None:
        """Make the embeddings, at most `widest` wide, and the layer."""
        super().__init__()
        self.flat = Flat(manifest, widest)
        self.linear = nn.Linear(self.flat.out_features, width)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Map inputs to the state."""
        state: Tensor = self.linear(self.flat(*inputs))
        return state


def resnet(model: Resnet, manifest: Manifest) -> Network:
    """Make a residual network for the columns, the label and the task of `manifest`."""
    stem = Widened(manifest, model.embedding_max, model.width)
    blocks = [
        ResidualBlock(model.width, model.hidden, model.dropout, model.residual_dropout) for _ in range(model.blocks)
    ]
    return Network(stem, blocks, normalised_head(model.width, manifest))
