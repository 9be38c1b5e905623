"""What a network's outputs are judged by."""

import torch.nn.functional as F  # noqa: N812 -- torch's own custom
from torch import Tensor

from conf.manifest import Manifest
from models.feeds.batch import Batch
from models.networks.members import (
    binary_log_losses,
    has_members,
    heard_as_one,
    mean_log_probabilities,
    one_by_one,
)


class Criterion:
    """The mean loss of a batch.

    Binary: cross-entropy of the logit; multiclass: cross-entropy; regression: squared error of the standardised label;
    sequence: cross-entropy over all places of all rows, which have as many each. Of several members
    (`models.networks.members`): the mean of their losses, by which they learn, or the loss of what they say as one.
    """

    def __init__(self, manifest: Manifest, *, as_one: bool = False) -> None:
        """Judge by the task of a feature set; members each by itself, or `as_one`."""
        self._manifest, self._as_one = manifest, as_one

    def __call__(self, output: Tensor, batch: Batch) -> Tensor:
        """Give the mean loss of a network's outputs, a float32 scalar; 0 for a batch without a row."""
        output = output.float()
        if not len(batch.label):
            return output.sum()
        if self._manifest.task == "sequence":
            return F.cross_entropy(output.flatten(0, 1), batch.label.flatten())
        if self._as_one and has_members(output):
            return self._of_all(output, batch.label)
        return self._of_rows(*one_by_one(output, batch.label))

    def _of_rows(self, output: Tensor, label: Tensor) -> Tensor:
        if self._manifest.task == "multiclass":
            return F.cross_entropy(output, label)
        if self._manifest.task == "binary":
            return F.binary_cross_entropy_with_logits(output[:, 0], label)
        fitted = self._manifest.label
        return F.mse_loss(output[:, 0], (label - fitted.mean) / fitted.scale)

    def _of_all(self, output: Tensor, label: Tensor) -> Tensor:
        if self._manifest.task == "multiclass":
            return F.nll_loss(mean_log_probabilities(output), label)
        if self._manifest.task == "binary":
            return binary_log_losses(output[:, :, 0], label).mean()
        return self._of_rows(heard_as_one(output), label)
