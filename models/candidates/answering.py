"""A fitted candidate as a network, so that evaluation, registration and serving take it like any other."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from conf.errors import FranklinError
from conf.manifest import Manifest
from conf.networks import Selected
from models.candidates import named
from models.candidates.candidate import Fitted
from models.candidates.reading import columns_of
from models.candidates.rows import Rows


class Answering(nn.Module):
    """Answers as `models.networks.network.Network` does; there is nothing to train."""

    def __init__(self, fitted: Fitted, manifest: Manifest) -> None:
        """Have `fitted` answer for the columns of `manifest`."""
        super().__init__()
        self._fitted, self._manifest = fitted, manifest
        self._columns = replace(columns_of(manifest), where=None)  # which day or group a new row is of, nobody says

    def forward(self, numeric: Tensor, categorical: Tensor, *tensors: Tensor) -> Tensor:
        """Map a batch, as `models.feeds.batch.Batch.inputs` has it, to `(batch, outputs)` float64.

        One logit (binary), one standardised value (regression), or the logarithm of each class's probability
        (multiclass); a probability of 0 or 1 is infinite, and comes out of a sigmoid or softmax as it was.
        """
        numbers = torch.cat((numeric, *(tensor.flatten(1) for tensor in tensors)), dim=1)
        rows = Rows(
            columns=self._columns,
            numbers=np.ascontiguousarray(numbers.numpy(), np.float32),
            codes=np.ascontiguousarray(categorical.numpy(), np.int32),
            label=np.zeros(len(numeric)),
        )
        scores = torch.from_numpy(np.asarray(self._fitted.predict(rows), np.float64))
        if self._manifest.task == "multiclass":
            return scores.log()
        label = self._manifest.label
        one = scores.logit() if self._manifest.task == "binary" else (scores - label.mean) / label.scale
        return one.unsqueeze(1)


def load(model: Selected, manifest: Manifest, folder: Path) -> Answering:
    """Read the candidate that `models.candidates.train` has left in `folder`.

    Raises:
        FranklinError: nobody has said which candidate it is.

    """
    if model.candidate is None:
        raise FranklinError("model.candidate is null: say which candidate, or run `franklin select` first")
    fitted = named(model.candidate).load(folder, columns_of(manifest))
    return Answering(fitted, manifest).eval()
