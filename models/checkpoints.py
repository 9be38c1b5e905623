"""When a training run writes checkpoints, and which are kept.

The last ones are kept, and the one after the best epoch; see `conf.checkpoints` and `models.shards`.
"""

import signal
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from conf.checkpoints import IDENTITY, PARTIAL, check_identity, complete
from conf.errors import FranklinError
from conf.exchange import answer
from models.shards import Saver, damage, remove, remove_whole, step_name
from models.stopping import Agreement, Stop, StoppedError

SEEN_SECONDS = 90.0  # longer than a network's file system remembers what a folder held
LOOK_SECONDS = 0.5


class Checkpoints(Checkpoint):
    """Says when to write a checkpoint, and which is the best.

    Attributes:
        best_loss: the lowest validation loss so far.
        best_epoch: the epoch (from 0) that reached it.
        resumed_from_step: steps done when this process began.

    """

    def __init__(
        self, saver: Saver, folder: Path, every_steps: int | None, stop: Stop, *, steps_alone: bool = False
    ) -> None:
        """Write into `folder` after each epoch, every so many steps, and when ranks are asked to `stop`.

        Where ranks do `steps_alone`, they agree on it less often, lest those ahead wait for the others.
        """
        self._saver, self._folder, self._every_steps = saver, folder, every_steps
        self._stop, self._agreement = stop, Agreement(stop, seldom=steps_alone)
        self.best_loss = float("inf")
        self.best_epoch = 0
        self.resumed_from_step = 0
        self._stopped = False
        self._step = 0  # that was looked at last

    @property
    def best(self) -> Path:
        """The checkpoint after the best epoch.

        Raises:
            FranklinError: it is damaged.

        """
        path = self._folder / step_name(self._saver.best_step)
        if reason := damage(path):
            raise FranklinError(
                f"the checkpoint {path}, that of the best epoch, is damaged ({reason}); delete {self._folder} to start "
                "afresh"
            )
        return path

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint has to say about the best epoch and whether training is over."""
        best = {"best_loss": self.best_loss, "best_epoch": self.best_epoch, "best_step": self._saver.best_step}
        return best | {"stopped": self._stopped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take that back."""
        self.best_loss, self.best_epoch = state_dict["best_loss"], state_dict["best_epoch"]
        self._saver.best_step, self._stopped = state_dict["best_step"], state_dict["stopped"]

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:  # noqa: ARG002 -- Lightning's
        """Remember where training goes on."""
        self.resumed_from_step = checkpoint["global_step"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002 -- Lightning's
        """Do not go on with a training that early stopping had ended."""
        trainer.should_stop = self._stopped
        self._step = trainer.global_step
        self._stop.training = True

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Write a checkpoint if it is time.

        Raises:
            StoppedError: a rank was asked to end, and the checkpoint is there.

        """
        step = trainer.global_step
        if step == self._step or trainer.is_last_batch:  # a step has several batches; after an epoch comes validation
            return
        self._step = step
        stop = self._agreement.look(step)
        if stop or (self._every_steps and step % self._every_steps == 0):
            self._write(trainer)
        if stop:
            self._saver.wait()
            sys.stderr.write(f"asked to end, after step {step}; its checkpoint is there\n")
            raise StoppedError(128 + signal.SIGTERM)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002 -- Lightning's
        """Write a checkpoint that knows whether it is the best so far."""
        loss = float(trainer.callback_metrics["validation_loss"])
        if loss < self.best_loss:
            self.best_loss, self.best_epoch = loss, trainer.current_epoch
            self._saver.best_step = trainer.global_step
        self._stopped = trainer.should_stop
        self._write(trainer)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002 -- Lightning's
        """Wait for the last checkpoint."""
        self._stop.training = False
        self._agreement.close()
        self._saver.wait()

    def _write(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(self._folder / step_name(trainer.global_step), weights_only=False)


def last_checkpoint(folder: Path) -> Path | None:
    """Find the whole checkpoint with the most steps; one that is damaged is passed over, and told.

    Raises:
        FranklinError: all that are there are damaged.

    """
    found = complete(folder)
    for path in reversed(found):
        if (reason := damage(path)) is None:
            return path
        sys.stderr.write(f"the checkpoint {path} is damaged ({reason}): passed over\n")
    if found:
        raise FranklinError(
            f"the checkpoint {found[-1]} is damaged ({damage(found[-1])}), and no other is there; delete {folder} to "
            "start afresh"
        )
    return None


def begin(folder: Path, fits: Mapping[str, object]) -> Path | None:
    """Find the checkpoint that rank 0 has all ranks go on from, and leave none behind it.

    Args:
        folder: of the checkpoints.
        fits: what has to be the same where a training goes on; written down if this one is new.

    Raises:
        FranklinError: the checkpoints are of another training, or damaged.

    """
    if last := last_checkpoint(folder):
        check_identity(folder, fits, "delete that folder to start afresh")
    clear(folder, last)
    if last is None:
        answer(folder / IDENTITY, dict(fits))
    return last


def together(folder: Path, last: Path | None, seconds: float = SEEN_SECONDS) -> Path | None:
    """Go on from what rank 0 has found; all ranks of the process group call this.

    A network's file system may show another machine for a while what was there before, so it waits `seconds` for it.

    Raises:
        FranklinError: this rank does not see it.

    """
    names = [last.name if last else None]
    torch.distributed.broadcast_object_list(names)
    if names[0] is None:
        return None
    path, deadline = folder / names[0], time.monotonic() + seconds
    while reason := damage(path):
        if time.monotonic() > deadline:
            raise FranklinError(
                f"rank {torch.distributed.get_rank()} on {socket.gethostname()} cannot read {path}, from which rank 0 "
                f"goes on ({reason}); all machines must see franklin's home under one path"
            )
        time.sleep(LOOK_SECONDS)
    return path


def clear(folder: Path, last: Path | None) -> None:
    """Remove what a killed process left half-written, and what was passed over for the `last` checkpoint that is whole.

    Were a damaged one left, with more steps than those that come next, it would be kept in their place.
    """
    for path in folder.glob(f"*{PARTIAL}"):
        remove(path)
    for path in complete(folder):
        if last is not None and path > last:
            remove_whole(path)
