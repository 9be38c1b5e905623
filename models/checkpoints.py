"""Checkpoints of a training run, and the best weights that come out of it.

    identity.json    what a checkpoint fits: the network, the feature set, the batches, the ranks
    step-000000840   the last checkpoint, a file or (sharded) a folder, with all that training needs to go on
    best-3.pt        the network's whole state after the best epoch so far

A checkpoint is written under another name and renamed when it is complete, so there is no half of one to be found.
Lightning's ModelCheckpoint writes sharded folders in place; hence this callback.
"""

import json
import shutil
from pathlib import Path
from typing import Any, cast

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from torch import nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

from conf.errors import FranklinError
from conf.exchange import TrainRequest

PARTIAL = ".partial"


class Checkpoints(Checkpoint):
    """Writes checkpoints and keeps the best weights.

    Attributes:
        best_loss: the lowest validation loss so far.
        best_epoch: the epoch (from 0) that reached it.
        resumed_from_step: steps done when this process began.

    """

    def __init__(self, folder: Path, every_steps: int | None) -> None:
        """Write into `folder` after each epoch, and every so many steps."""
        self._folder = folder
        self._every_steps = every_steps
        self.best_loss = float("inf")
        self.best_epoch = 0
        self.resumed_from_step = 0
        self._stopped = False

    @property
    def best(self) -> Path:
        """The best weights' file."""
        return self._folder / f"best-{self.best_epoch}.pt"

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint has to say about the best epoch and whether training is over."""
        return {"best_loss": self.best_loss, "best_epoch": self.best_epoch, "stopped": self._stopped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take that back."""
        self.best_loss, self.best_epoch = state_dict["best_loss"], state_dict["best_epoch"]
        self._stopped = state_dict["stopped"]

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:  # noqa: ARG002 -- Lightning's
        """Remember where training goes on."""
        self.resumed_from_step = checkpoint["global_step"]

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002 -- Lightning's
        """Do not go on with a training that early stopping had ended."""
        trainer.should_stop = self._stopped

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Write a checkpoint if it is time."""
        if self._every_steps and trainer.global_step % self._every_steps == 0 and not trainer.is_last_batch:
            self._write(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the weights if they are the best so far, then write a checkpoint that knows it."""
        loss = float(trainer.callback_metrics["validation_loss"])
        if loss < self.best_loss:
            self.best_loss, self.best_epoch = loss, trainer.current_epoch
            network = cast("nn.Module", pl_module.network)
            whole = StateDictOptions(full_state_dict=True, cpu_offload=True)
            weights = get_model_state_dict(network, options=whole)
            if trainer.is_global_zero:
                partial = self._folder / f"{self.best.name}{PARTIAL}"
                torch.save(weights, partial)
                partial.replace(self.best)
        self._stopped = trainer.should_stop
        self._write(trainer)

    def _write(self, trainer: Trainer) -> None:
        name = f"step-{trainer.global_step:09d}"
        partial = self._folder / f"{name}{PARTIAL}"
        trainer.save_checkpoint(partial, weights_only=False)  # all ranks; returns when the last one is done
        if trainer.is_global_zero:
            remove(self._folder / name)  # of an earlier attempt
            partial.rename(self._folder / name)
            for path in self._folder.iterdir():
                if path.name not in {name, self.best.name, "identity.json"}:
                    remove(path)


def last_checkpoint(folder: Path) -> Path | None:
    """Find the complete checkpoint with the most steps."""
    return max((path for path in folder.glob("step-*") if path.suffix != PARTIAL), default=None)


def check_identity(folder: Path, request: TrainRequest, fingerprint: str, *, write: bool) -> None:
    """Make sure that checkpoints in `folder`, if there are any, are of the same training.

    Raises:
        FranklinError: they are not.

    """
    path = folder / "identity.json"
    here = {
        "feature_set": fingerprint,
        "seed": request.seed,
        "strategy": request.strategy.name,
        "world_size": request.world_size,
        "feed.batch_size": request.feed.batch_size,
        **{f"model.{key}": value for key, value in request.model.model_dump().items()},
    }
    if last_checkpoint(folder) is None:
        if write:
            path.write_text(json.dumps(here), encoding="utf-8")
        return
    there = json.loads(path.read_text(encoding="utf-8"))
    for key, value in here.items():
        if there.get(key) != value:
            raise FranklinError(
                f"the checkpoints in {folder} are of another training: {key} was {there.get(key)}, now it is "
                f"{value}; set it back or delete that folder to start afresh",
            )


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
