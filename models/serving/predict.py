"""Weights to scores: the one way, for evaluation and for the logged model."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from conf.manifest import Manifest
from conf.networks import AnyNetwork
from models.networks import build
from models.networks.network import Network

Floats = NDArray[np.float64]


def load_network(model: AnyNetwork, manifest: Manifest, weights: Path) -> Network:
    """Build the network and give it the weights of a training run, ready to predict on the CPU."""
    network = build(model, manifest)
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return network.eval()


@torch.inference_mode()
def scores(network: nn.Module, inputs: Sequence[Tensor], manifest: Manifest) -> Floats:
    """Predict what a network takes (see `models.networks`).

    Returns:
        `(batch,)` probability of class 1 (binary), `(batch, classes)` probabilities (multiclass), or `(batch,)`
        values in the label's unit (regression).

    """
    outputs: Tensor = network(*inputs).double()
    if manifest.task == "multiclass":
        return outputs.softmax(dim=1).numpy()
    if manifest.task == "binary":
        return outputs.squeeze(1).sigmoid().numpy()
    return outputs.squeeze(1).numpy() * manifest.label.scale + manifest.label.mean


def score_columns(manifest: Manifest) -> list[str]:
    """Names of the score columns, in files of predictions and in what the logged model returns: one, or one a class."""
    if manifest.task == "regression":
        return ["prediction"]
    if manifest.task == "binary":
        return ["probability"]
    return [f"probability_{name}" for name in manifest.label.classes]
