"""A network that was trained as a candidate; importing this imports no torch."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import TypeAdapter

from conf.manifest import Manifest, read_manifest
from conf.networks import AnyNetwork
from models.candidates.rows import Rows
from models.candidates.view import laid_out
from models.evaluation.metrics import Floats

if TYPE_CHECKING:
    from torch import nn

PREDICTED_ROWS = 4096  # at a time
WEIGHTS, MODEL, MANIFEST = "weights.pt", "model.json", "manifest.json"
NETWORK: TypeAdapter[AnyNetwork] = TypeAdapter(AnyNetwork)


class FittedNetwork:
    """A network with its weights, and the manifest of the rows that it learned from."""

    def __init__(self, network: "nn.Module", model: AnyNetwork, manifest: Manifest) -> None:
        """Take them; it is on the processor, and predicts."""
        self._network, self._model, self._manifest = network, model, manifest

    @classmethod
    def read(cls, model: AnyNetwork, manifest: Manifest, weights: Path, threads: int | None = None) -> "FittedNetwork":
        """Build a network and read its weights; it predicts in so many threads, None: as many as torch takes."""
        import torch  # two seconds, and not for those who only want to know what there is

        from models.serving.predict import load_network

        if threads:
            torch.set_num_threads(threads)
        return cls(load_network(model, manifest, weights), model, manifest)

    @classmethod
    def load(cls, folder: Path) -> "FittedNetwork":
        """Read what `save` has written."""
        model = NETWORK.validate_json((folder / MODEL).read_text(encoding="utf-8"))
        return cls.read(model, read_manifest(str(folder)), folder / WEIGHTS)

    def predict(self, rows: Rows) -> Floats:
        """Give scores, some rows at a time."""
        import torch

        from models.serving.predict import scores

        found = []
        for first in range(0, max(1, len(rows)), PREDICTED_ROWS):
            some = rows.take(np.arange(first, min(first + PREDICTED_ROWS, len(rows))))
            numeric, tensors = laid_out(some, self._manifest)
            inputs = [torch.from_numpy(np.ascontiguousarray(numeric)), torch.from_numpy(some.codes.astype(np.int64))]
            for column, values in zip(self._manifest.tensors, tensors, strict=True):
                inputs.append(torch.from_numpy(values.reshape(len(some), *column.shape)))
            found.append(scores(self._network, inputs, self._manifest))
        return np.concatenate(found)

    def save(self, folder: Path) -> None:
        """Write weights, the network's configuration and the manifest."""
        import torch

        torch.save(self._network.state_dict(), folder / WEIGHTS)
        (folder / MODEL).write_text(self._model.model_dump_json(), encoding="utf-8")
        (folder / MANIFEST).write_text(self._manifest.model_dump_json(), encoding="utf-8")
