"""A network and how it learns, as Lightning takes it."""

import math
from typing import Any, Protocol, cast

import torch
import torch.nn.functional as F  # noqa: N812 -- torch's own custom
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

from conf.errors import FranklinError
from conf.manifest import Manifest
from conf.schema import Optimizer
from models.feeds.batch import Batch
from models.networks.network import Network
from models.parallel.parallelism import Forward, Parallelism

FINITE_EVERY = 32  # steps between looks at the loss: each look makes a GPU wait


class Feed(Protocol):
    """What a learner asks of a feed."""

    def set_epoch(self, epoch: int) -> None:
        """Go to the start of `epoch`, unless already in it."""


class Learner(LightningModule):
    """Trains a network on the loss of its task.

    Binary: cross-entropy of the logit; multiclass: cross-entropy; regression: squared error of the standardised
    label. `train_loss` (this epoch) and `validation_loss` are means over the rows of all ranks.
    """

    _sums: Tensor  # the sum of losses, and over how many rows

    def __init__(
        self,
        network: Network,
        manifest: Manifest,
        optimizer: Optimizer,
        parallelism: Parallelism[Any],
        *,
        steps: int,
        gradient_clip: float | None,
        seed: int,
    ) -> None:
        """Take the network and what it learns with.

        Args:
            network: as `models.networks.build` makes it.
            manifest: of the feature set.
            optimizer: learning rate and its schedule.
            parallelism: the strategy, which wraps the network.
            steps: of the whole training, for the schedule.
            gradient_clip: largest norm of all gradients together.
            seed: of dropout.

        """
        super().__init__()
        self.network = network
        self._manifest = manifest
        self._optimizer = optimizer
        self._parallelism = parallelism
        self._steps = steps
        self._gradient_clip = gradient_clip
        self._seed = seed
        self._forward: Forward | None = None
        self.register_buffer("_sums", torch.zeros(2, dtype=torch.float64), persistent=False)

    def configure_model(self) -> None:
        """Let the strategy wrap the network, once (Lightning may call this several times)."""
        if self._forward is None:
            self._forward = self._parallelism.wrap(self.network, self.device_mesh)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW (Loshchilov and Hutter, 2019) with linear warm-up and cosine decay to 0, by steps."""
        optimizer = torch.optim.AdamW(
            self.network.parameters(),
            lr=self._optimizer.learning_rate,
            weight_decay=self._optimizer.weight_decay,
            fused=True,
        )
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _rate(self, step: int) -> float:
        warmup = self._optimizer.warmup_share * self._steps
        if step < warmup:
            return (step + 1) / (warmup + 1)
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1.0, self._steps - warmup)))

    def loss(self, batch: Batch) -> Tensor:
        """Mean loss of a batch, a scalar; 0 for one without a row."""
        output = (self._forward or self.network)(*batch.inputs).float()
        if not len(batch.label):
            return output.sum()
        if self._manifest.task == "multiclass":
            return F.cross_entropy(output, batch.label)
        if self._manifest.task == "binary":
            return F.binary_cross_entropy_with_logits(output[:, 0], batch.label)
        label = self._manifest.label
        return F.mse_loss(output[:, 0], (batch.label - label.mean) / label.scale)

    def on_train_epoch_start(self) -> None:
        """Tell the feed which epoch this is."""
        cast("Feed", self.trainer.train_dataloader).set_epoch(self.current_epoch)
        self._sums.zero_()

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002 -- Lightning's signature
        """Make dropout a function of (seed, replica, step), so a resumed run repeats it without a saved state."""
        cuda = self.device.type == "cuda"
        generator = torch.cuda.default_generators[self.device.index] if cuda else torch.default_generator
        replica = self._parallelism.replica(self.global_rank)
        generator.manual_seed(hash((self._seed, replica, self.global_step)) & (2**63 - 1))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of a step."""
        loss = self.loss(batch)
        self._add(loss, batch)
        if batch_idx % FINITE_EVERY == 0:
            self._check_finite("training")
        return loss if batch.weight == 1 else loss * batch.weight

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:  # noqa: ARG002 -- Lightning's
        """Clip gradients by their norm over all parameters (and, when they are sharded, over all ranks)."""
        if self._gradient_clip is not None:
            self._parallelism.clip(self.network, self._gradient_clip)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002 -- Lightning's signature
        """Add a batch to the validation loss."""
        self._add(self.loss(batch), batch)

    def on_validation_epoch_start(self) -> None:
        """Close the books on the training loss; validation runs before the training epoch ends."""
        self._log("train_loss", "training")

    def on_validation_epoch_end(self) -> None:
        """Give the exact mean over the rows of all ranks."""
        self._log("validation_loss", "validation")

    def _add(self, loss: Tensor, batch: Batch) -> None:
        rows = len(batch.label)
        self._sums[0] += loss.detach() * rows
        self._sums[1] += rows

    def _log(self, name: str, stage: str) -> None:
        self._check_finite(stage)
        total, rows = self.trainer.strategy.reduce(self._sums, reduce_op="sum")
        self.log(name, (total / rows).float(), sync_dist=True)  # the same on all ranks; Lightning warns without
        self._sums.zero_()

    def _check_finite(self, stage: str) -> None:
        if not self._sums[0].isfinite():
            raise FranklinError(
                f"the {stage} loss is not finite in epoch {self.current_epoch + 1}, at step {self.global_step}: "
                f"lower optimizer.learning_rate (now {self._optimizer.learning_rate:g}) or set trainer.gradient_clip",
            )
