"""Embeddings for categories, then fully connected blocks."""

import torch
from torch import Tensor, nn

from conf.manifest import Manifest
from conf.schema import Mlp
from models.networks.network import Network, head
from models.networks.parts import dense


class MlpNetwork(Network):
    """A multi-layer perceptron for tables; the numbers of tensors are laid flat beside the others."""

    def __init__(self, model: Mlp, manifest: Manifest) -> None:
        """Make the network for the columns, the label and the task of `manifest`."""
        super().__init__(manifest, model.embedding_max)
        width = self.scalars + sum(column.size for column in manifest.tensors)
        self.blocks = nn.ModuleList(dense(width, model.hidden, model.dropout))
        self.head = head(model.hidden[-1], manifest)

    def forward(self, numeric: Tensor, categorical: Tensor, *tensors: Tensor) -> Tensor:
        """Map a batch to `(batch, outputs)`; see `Network`."""
        row = self.side_by_side(numeric, categorical)
        if tensors:
            row = torch.cat((row, *(tensor.flatten(1) for tensor in tensors)), dim=1)
        for block in self.blocks:
            row = block(row)
        output: Tensor = self.head(row)
        return output
