"""What a step took, measured on real tensors in the middle of training, to stand beside what was planned."""

from contextlib import ExitStack
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from models.feeds.batch import Batch
from models.networks.network import Network
from models.parallel.memory import Alive, watched
from models.parallel.parallelism import Parallelism
from models.parallel.plan import tensor_bytes
from models.parallel.traffic import Traffic

PARTS = ("parameters_bytes", "gradients_bytes", "optimizer_bytes", "activations_bytes", "communicated_bytes")
MEASURED_STEP = 2  # steps of this process that go before: they make the optimizer's state and buckets


class Measure(Callback):
    """Measures one step on every rank, and what is sent from there on until ranks have sent all that they do by turns.

    Attributes:
        metrics: bytes of the rank that needs most, under the names of `conf.exchange.Plan`; empty until known.

    """

    def __init__(self, network: Network, parallelism: Parallelism[Any]) -> None:
        """Measure what `network` and its optimizer take, and the strategy besides."""
        self.metrics: dict[str, float] = {}
        self._network, self._parallelism = network, parallelism
        self._step, self._sending = ExitStack(), ExitStack()
        self._steps = self._done = 0  # that this rank has had a part in; that all have done
        self._begun: int | None = None  # bytes that had been sent elsewhere
        self._since = 0  # steps since then
        self._found: dict[str, float] = {}
        self._alive, self._traffic = Alive(), Traffic()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002 -- Lightning's
        """Count from where training goes on."""
        self._done = trainer.global_step

    def on_train_batch_start(
        self,
        trainer: Trainer,  # noqa: ARG002 -- Lightning's
        pl_module: LightningModule,  # noqa: ARG002
        batch: Batch,
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """Begin to measure, if this is the step."""
        if self._steps == MEASURED_STEP and len(batch.label) and self._begun is None:
            self._traffic = self._sending.enter_context(Traffic())
            self._alive = self._step.enter_context(watched(self._network))
            self._begun = self._parallelism.sent_bytes

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Any) -> None:  # noqa: ARG002 -- Lightning's
        """See what gradients take, while they are there."""
        if self._begun is not None and not self._found:
            self._found = {
                "parameters_bytes": tensor_bytes(list(self._network.parameters())),
                "gradients_bytes": tensor_bytes([each.grad for each in self._network.parameters()]),
                "optimizer_bytes": tensor_bytes([*optimizer.state.values(), self._parallelism.besides()]),
                "activations_bytes": self._alive.most,
            }

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,  # noqa: ARG002 -- Lightning's
        outputs: Any,  # noqa: ARG002
        batch: Batch,
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """Stop, after a whole step; it may have had several batches."""
        if trainer.global_step == self._done:
            return
        self._done = trainer.global_step
        self._steps += len(batch.label) > 0
        if self._begun is None:
            return
        self._step.close()
        self._since += 1
        if self._since == self._parallelism.period:
            self._sending.close()
            sent = self._traffic.sent_bytes + self._parallelism.sent_bytes - self._begun
            self._found["communicated_bytes"] = sent / self._parallelism.period

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:  # noqa: ARG002 -- Lightning's
        """Stop, wherever it is."""
        self._step.close()
        self._sending.close()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Agree on the rank that needs most, as soon as all have measured."""
        if self.metrics:
            return
        missing = float(not all(part in self._found for part in PARTS))
        found = [*(self._found.get(part, 0.0) for part in PARTS), missing]
        tensor = torch.tensor(found, dtype=torch.float64, device=pl_module.device)
        *most, missing = trainer.strategy.reduce(tensor, reduce_op="max").tolist()
        if not missing:
            self.metrics = dict(zip(PARTS, most, strict=True))
            self.metrics["memory_bytes"] = sum(most[:-1])
