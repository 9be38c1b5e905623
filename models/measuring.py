"""What a step took, measured on real tensors in the middle of training, to stand beside what was planned."""

from contextlib import ExitStack
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from models.networks.network import Network
from models.parallel.memory import Alive, watched
from models.parallel.parallelism import Parallelism
from models.parallel.plan import tensor_bytes
from models.parallel.traffic import Traffic

MEASURED_STEP = 2  # of this process: the first ones make the optimizer's state and buckets


class Measure(Callback):
    """Measures one step on every rank, and what is sent from there on until ranks have sent all that they do by turns.

    Attributes:
        metrics: bytes of the rank that needs most, under the names of `conf.exchange.Plan`; empty until known.

    """

    def __init__(self, network: Network, parallelism: Parallelism[Any]) -> None:
        """Measure what `network` and its optimizer take, and the strategy besides."""
        self.metrics: dict[str, float] = {}
        self._network, self._parallelism = network, parallelism
        self._steps, self._step, self._sending = 0, ExitStack(), ExitStack()
        self._found: dict[str, float] = {}
        self._alive, self._traffic = Alive(), Traffic()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:  # noqa: ARG002 -- Lightning's
        """Begin to measure, if this is the step."""
        if self._steps == MEASURED_STEP:
            self._traffic = self._sending.enter_context(Traffic())
            self._alive = self._step.enter_context(watched(self._network))
        self._steps += 1

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Any) -> None:  # noqa: ARG002 -- Lightning's
        """See what gradients take, while they are there."""
        if self._steps == MEASURED_STEP + 1:
            self._found = {
                "parameters_bytes": tensor_bytes(list(self._network.parameters())),
                "gradients_bytes": tensor_bytes([each.grad for each in self._network.parameters()]),
                "optimizer_bytes": tensor_bytes([*optimizer.state.values(), self._parallelism.state()]),
                "activations_bytes": self._alive.most,
            }

    def on_train_batch_end(self, *_: Any) -> None:
        """Stop."""
        if self._steps == MEASURED_STEP + 1:
            self._step.close()
        if self._steps == MEASURED_STEP + self._parallelism.period:
            self._sending.close()
            self._found["communicated_bytes"] = self._traffic.sent_bytes / self._parallelism.period

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:  # noqa: ARG002 -- Lightning's
        """Stop, wherever it is."""
        self._step.close()
        self._sending.close()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Agree on the rank that needs most, once."""
        if "communicated_bytes" in self._found and not self.metrics:
            found = torch.tensor([*self._found.values()], dtype=torch.float64, device=pl_module.device)
            most = trainer.strategy.reduce(found, reduce_op="max")
            self.metrics = dict(zip(self._found, most.tolist(), strict=True))
            self.metrics["memory_bytes"] = sum(
                self.metrics[part] for part in self._found if part != "communicated_bytes"
            )
