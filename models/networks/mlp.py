"""Embeddings for categories, then fully connected blocks."""

import torch
from torch import Tensor, nn

from conf.manifest import Manifest
from conf.networks import Mlp
from models.networks.network import Network, Scalars, head
from models.networks.parts import dense


class Flat(nn.Module):
    """Numbers, embedded codes and the numbers of tensors, laid side by side."""

    def __init__(self, manifest: Manifest, widest: int) -> None:
        """Make the embeddings, at most so wide."""
        super().__init__()
        self.scalars = Scalars(manifest, widest)
        self.out_features = self.scalars.out_features + sum(column.size for column in manifest.tensors)

    def forward(self, numeric: Tensor, categorical: Tensor, *tensors: Tensor) -> Tensor:
        """Map inputs to `(batch, out_features)`."""
        row: Tensor = self.scalars(numeric, categorical)
        return torch.cat((row, *(tensor.flatten(1) for tensor in tensors)), dim=1) if tensors else row


def mlp(model: Mlp, manifest: Manifest) -> Network:
    """Make a multi-layer perceptron for the columns, the label and the task of `manifest`."""
    stem = Flat(manifest, model.embedding_max)
    blocks = dense(stem.out_features, model.hidden, model.dropout)
    return Network(stem, blocks, head(model.hidden[-1], manifest))
