"""What a network's outputs are judged by."""

import torch.nn.functional as F  # noqa: N812 -- torch's own custom
from torch import Tensor

from conf.manifest import Manifest
from models.feeds.batch import Batch


class Criterion:
    """The mean loss of a batch.

    Binary: cross-entropy of the logit; multiclass: cross-entropy; regression: squared error of the standardised label;
    sequence: cross-entropy over all places of all rows, which have as many each.
    """

    def __init__(self, manifest: Manifest) -> None:
        """Judge by the task of a feature set."""
        self._manifest = manifest

    def __call__(self, output: Tensor, batch: Batch) -> Tensor:
        """Give the mean loss of a network's outputs, a float32 scalar; 0 for a batch without a row."""
        output = output.float()
        if not len(batch.label):
            return output.sum()
        if self._manifest.task == "multiclass":
            return F.cross_entropy(output, batch.label)
        if self._manifest.task == "sequence":
            return F.cross_entropy(output.flatten(0, 1), batch.label.flatten())
        if self._manifest.task == "binary":
            return F.binary_cross_entropy_with_logits(output[:, 0], batch.label)
        label = self._manifest.label
        return F.mse_loss(output[:, 0], (batch.label - label.mean) / label.scale)
