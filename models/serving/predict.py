"""Weights to scores: the one way, for evaluation and for the logged model."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 -- torch's own custom
from numpy.typing import NDArray
from torch import Tensor, nn

from conf.manifest import Manifest
from conf.networks import AnyModel, Selected
from models.networks import build
from models.networks.members import heard_as_one

Floats = NDArray[np.float64]
PREDICTION = "prediction"
AT_ONCE = 2**14  # places of sequences, each with a number for each class


def load_network(model: AnyModel, manifest: Manifest, weights: Path) -> nn.Module:
    """Build the network and give it the weights of a training run, ready to predict on the CPU.

    Of a selected candidate, `weights` is the folder that it was saved in.
    """
    if isinstance(model, Selected):
        from models.candidates.answering import load  # imports the candidate's library

        return load(model, manifest, weights)
    network = build(model, manifest)
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return network.eval()


@torch.inference_mode()
def scores(network: nn.Module, inputs: Sequence[Tensor], manifest: Manifest) -> Floats:
    """Predict what a network takes (see `models.networks`), unless it is a sequence.

    Returns:
        `(batch,)` probability of class 1 (binary), `(batch, classes)` probabilities (multiclass), or `(batch,)`
        values in the label's unit (regression).

    """
    outputs: Tensor = network(*inputs).double()
    if manifest.task == "multiclass":
        return heard_as_one(outputs.softmax(dim=-1)).numpy()
    if manifest.task == "binary":
        return heard_as_one(outputs.sigmoid()).squeeze(1).numpy()
    return heard_as_one(outputs).squeeze(1).numpy() * manifest.label.scale + manifest.label.mean


@torch.inference_mode()
def judge_tokens(network: nn.Module, inputs: Sequence[Tensor], following: Tensor) -> Floats:
    """Judge what a network says of the tokens that follow.

    Args:
        network: gives `(batch, places, classes)`.
        inputs: what it takes, see `models.networks`.
        following: `(batch, places)` tokens; -1: none, where a shorter row has ended.

    Returns:
        `(batch, 2)`: the mean log loss in nats, and the share that was most probable; NaN for a row without any.

    """
    logits: Tensor = network(*inputs).double()
    there = following >= 0
    losses = F.cross_entropy(logits.transpose(1, 2), following, ignore_index=-1, reduction="none")
    hits = (logits.argmax(dim=2) == following).double()
    return torch.stack([(each * there).sum(1) / there.sum(1) for each in (losses, hits)], dim=1).numpy()


def at_once(places: int) -> int:
    """Rows of so many places that are predicted at a time."""
    return max(1, AT_ONCE // places)


def score_columns(manifest: Manifest) -> list[str]:
    """Names of the score columns, in files of predictions and in what the logged model returns.

    One, or one a class; of a sequence, two that say how well the row's own tokens were predicted.
    """
    if manifest.task == "regression":
        return [PREDICTION]
    if manifest.task == "sequence":
        return ["log_loss", "accuracy"]
    if manifest.task == "binary":
        return ["probability"]
    return [f"probability_{name}" for name in manifest.label.classes]
