"""How far a rank is, told hook by hook to whoever watches."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from models.watching import Watch


class Marks(Callback):
    """Passes marks, the same ones on every rank."""

    def __init__(self, watch: Watch) -> None:
        """Pass them to `watch`."""
        self._watch = watch

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002 -- Lightning's
        """Training begins."""
        self._watch.mark("before its first batch")

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:  # noqa: ARG002 -- Lightning's
        """A batch has come."""
        self._mark("in the forward and backward pass", trainer, batch_idx)

    def on_before_optimizer_step(self, trainer: Trainer, *_: Any) -> None:
        """Gradients are there."""
        self._mark("in the optimizer's step", trainer, trainer.fit_loop.batch_idx)

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """The next batch is wanted."""
        self._mark("waiting for its batch", trainer, trainer.fit_loop.batch_idx + 1)

    def on_validation_batch_start(self, trainer: Trainer, *_: Any) -> None:
        """A batch to judge has come."""
        self._mark("in the validation", trainer, trainer.fit_loop.batch_idx)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002 -- Lightning's
        """Training is over."""
        self._watch.mark("after its last batch")

    def _mark(self, what: str, trainer: Trainer, batch: int) -> None:
        self._watch.mark(what, trainer.global_step, trainer.current_epoch, batch)
