"""A network and how it learns, as Lightning takes it."""

from functools import partial
from math import inf, isfinite
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

from conf.errors import FranklinError
from conf.manifest import Manifest
from conf.training import Optimizer
from models.criterion import Criterion
from models.feeds.batch import Batch
from models.finite import ElsewhereError, gradients, origin, write_rows
from models.networks.network import Network
from models.networks.parts import FadingDropout
from models.optimizers import Schedule, make
from models.parallel.parallelism import Forward, Parallelism


class Feed(Protocol):
    """What a learner asks of a feed."""

    def set_epoch(self, epoch: int) -> None:
        """Go to the start of `epoch`, unless already in it."""


class Learner(LightningModule):
    """Trains a network on the loss of its task.

    `train_loss` (this epoch) and `validation_loss` are means over the rows of all ranks.
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
        spoilt: Path | None = None,
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
            spoilt: Parquet file that gets the rows which make numbers not finite; None: nobody wants them.

        """
        super().__init__()
        self.network = network
        self._manifest, self._criterion, self._spoilt = manifest, Criterion(manifest), spoilt
        self._as_one = Criterion(manifest, as_one=True)
        self._fading = [module for module in network.modules() if isinstance(module, FadingDropout)]
        self._optimizer = optimizer
        self._parallelism = parallelism
        self._steps = steps
        self._gradient_clip = gradient_clip
        self._seed = seed
        self._forward: Forward | None = None
        self._batches: list[tuple[int, Batch]] = []  # of this step
        self.register_buffer("_sums", torch.zeros(2, dtype=torch.float64), persistent=False)

    def configure_model(self) -> None:
        """Let the strategy wrap the network, once (Lightning may call this several times).

        It has to be where it stays: parameters that move lose the hooks by which gradients are averaged.
        """
        if self._forward is None:
            self._parallelism.place(self.network, self.trainer.strategy.root_device)
            self._forward = self._parallelism.wrap(self.network, self.device_mesh)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Make the optimizer, as the strategy wants it, with a schedule by steps."""
        optimizer = self._parallelism.optimizer(self.network, partial(make, self._optimizer, steps=self._steps))
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, Schedule(self._optimizer, self._steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_train_epoch_start(self) -> None:
        """Tell the feed which epoch this is."""
        cast("Feed", self.trainer.train_dataloader).set_epoch(self.current_epoch)
        self._sums.zero_()

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Make dropout a function of (seed, stream, epoch, batch): a resumed run repeats it without a saved state."""
        self._seed_dropout(batch_idx)
        for module in self._fading:
            module.done.fill_(self.global_step / self._steps)
        self._batches.append((batch_idx, batch))

    def _seed_dropout(self, batch_idx: int) -> None:
        cuda = self.device.type == "cuda"
        generator = torch.cuda.default_generators[self.device.index] if cuda else torch.default_generator
        stream = self._parallelism.stream(self.global_rank)
        generator.manual_seed(hash((self._seed, stream, self.current_epoch, batch_idx)) & (2**63 - 1))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:  # noqa: ARG002 -- Lightning's signature
        """Return the loss of a step."""
        share = batch.weight / self.trainer.accumulate_grad_batches
        loss = self._parallelism.train(self._forward or self.network, batch, self._criterion, share)
        self._add(loss, batch)
        return loss if batch.weight == 1 else loss * batch.weight

    def backward(self, loss: Tensor, *_: Any, **__: Any) -> None:
        """Do the backward pass as the strategy does it."""
        self._parallelism.backward(loss)

    def optimizer_zero_grad(self, epoch: int, batch_idx: int, optimizer: torch.optim.Optimizer) -> None:  # noqa: ARG002 -- Lightning's
        """Clear gradients before the backward pass, unless that is over already."""
        if not self._parallelism.clears:
            optimizer.zero_grad()

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:  # noqa: ARG002 -- Lightning's
        """Clip gradients by their norm over all parameters (and, when they are sharded, over all ranks).

        Raises:
            FranklinError: they are not finite: this rank's, or those of all together where they are averaged.

        """
        most = inf if self._gradient_clip is None else self._gradient_clip
        if not isfinite(self._parallelism.clip(self.network, most)):
            self._give_up()
        self._batches.clear()

    def _give_up(self) -> None:
        """Say what spoilt the step, whose batches go forward once more; weights are still those before it."""
        for number, batch in self._batches:
            self._seed_dropout(number)
            rerun = partial(self._parallelism.judge, self._forward or self.network, batch, self._criterion)
            with self.trainer.precision_plugin.train_step_context():
                found = origin(self.network, self._manifest, batch, rerun)
            if found:
                way = "mend it, or feed.transform" if found.rows else self._advice()
                raise FranklinError(
                    f"{self._place(number)}: first {found.what}, on rank {self.global_rank}; {way}{self._keep(batch)}"
                )
        last, _ = self._batches[-1]
        raise ElsewhereError(f"{self._place(last)}: first {gradients(self.network)}; {self._advice()}")

    def _place(self, batch: int) -> str:
        where = f"at step {self.global_step} (epoch {self.current_epoch + 1}, batch {batch + 1})"
        return f"numbers are not finite {where}"

    def _keep(self, batch: Batch) -> str:
        """Keep a batch's rows, and say where."""
        if self._spoilt is None:
            return ""
        write_rows(self._manifest, batch, self._spoilt)
        return f"; the batch is in {self._spoilt}"

    def _advice(self) -> str:
        return f"lower optimizer.learning_rate (now {self._optimizer.learning_rate:g}) or set trainer.gradient_clip"

    def validation_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002 -- Lightning's signature
        """Add a batch to the validation loss."""
        self._add(self._parallelism.judge(self._forward or self.network, batch, self._as_one), batch)

    def on_validation_start(self) -> None:
        """Judge weights that are the same on all ranks."""
        self._parallelism.settle()

    def on_validation_epoch_start(self) -> None:
        """Close the books on the training loss; validation runs before the training epoch ends."""
        self._log("train_loss", "training")

    def on_validation_epoch_end(self) -> None:
        """Give the exact mean over the rows of all ranks."""
        self._log("validation_loss", "validation")

    def _add(self, loss: Tensor, batch: Batch) -> None:
        rows = len(batch.label) if self._parallelism.sees_outputs else 0
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
                f"{self._advice()}"
            )
