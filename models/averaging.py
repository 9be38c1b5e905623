"""An exponential moving average of the weights, which is what is judged and kept (Polyak and Juditsky 1992)."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.distributed.checkpoint.state_dict import get_model_state_dict
from torch.optim.swa_utils import get_ema_multi_avg_fn

from models.networks.network import Network


class Average(Callback):
    """Averages what this rank holds of the network, after every step; validation sees the average."""

    def __init__(self, network: Network, decay: float) -> None:
        """Begin with the network's weights when they are first asked for."""
        self._network, self._update = network, get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        self._average: dict[str, Tensor] = {}
        self._step = 0

    def state(self) -> dict[str, Any]:
        """The average, under the names of the whole network."""
        if not self._average:
            self._average = {name: weight.detach().clone() for name, weight in self._weights().items()}
        return self._average

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002 -- Lightning's
        """Begin with the weights as they are, unless a checkpoint had an average."""
        self.state()
        self._step = trainer.global_step

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Move the average towards the new weights."""
        if trainer.global_step != self._step:
            self._step = trainer.global_step
            self._update(list(self._average.values()), list(self._weights().values()), self._step)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002 -- Lightning's
        """Put the average into the network."""
        self._swap()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002 -- Lightning's
        """Put the weights back."""
        self._swap()

    def _swap(self) -> None:
        with torch.no_grad():
            for name, weight in self._weights().items():
                kept = weight.clone()
                weight.copy_(self._average[name])
                self._average[name].copy_(kept)

    def _weights(self) -> dict[str, Any]:
        return get_model_state_dict(self._network)
