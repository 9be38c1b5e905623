"""Embeddings for categories, then fully connected blocks."""

from conf.manifest import Manifest
from conf.networks import Mlp
from models.networks.network import Flat, Network, head
from models.networks.parts import dense


def mlp(model: Mlp, manifest: Manifest) -> Network:
    """Make a multi-layer perceptron for the columns, the label and the task of `manifest`."""
    stem = Flat(manifest, model.embedding_max)
    blocks = dense(stem.out_features, model.hidden, model.dropout)
    return Network(stem, blocks, head(model.hidden[-1], manifest))
