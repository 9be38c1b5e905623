"""Fitting a network to a feed, as Lightning does it."""

import shutil

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import EarlyStopping

from conf.exchange import TrainRequest, TrainResult
from conf.manifest import Manifest
from models import networks, parallel
from models.checkpoints import PARTIAL, Checkpoints, check_identity, last_checkpoint
from models.feeds.feed import Feed
from models.feeds.transformed import Transformed
from models.module import Learner
from models.reporting import Reporter
from models.threads import share_cores

MISSED = 1e-6  # an improvement of the validation loss below this is none


def fit(
    request: TrainRequest,
    manifest: Manifest,
    train: Feed | Transformed,
    validation: Feed | Transformed,
    *,
    rank: int,
    local_ranks: int,
) -> TrainResult | None:
    """Fit the network, from the last checkpoint on if there is one; every rank calls this, with its own feeds.

    Returns:
        The best epoch's weights and how training went, on rank 0; None on the others.

    Raises:
        FranklinError: a loss that is not finite, or checkpoints of another training.

    """
    folder = request.run_folder / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    check_identity(folder, request, manifest.fingerprint, write=rank == 0)
    total_steps = request.trainer.max_epochs * len(train)
    parallelism = parallel.load(request.strategy.name)
    torch.manual_seed(request.seed)  # every rank makes the same network
    network = networks.build(request.model, manifest)
    share_cores(network, request.feed.batch_size // request.world_size, local_ranks)
    learner = Learner(
        network,
        manifest,
        request.optimizer,
        wrap=parallelism.wrap,
        steps=total_steps,
        gradient_clip=request.trainer.gradient_clip,
        seed=request.seed,
    )
    checkpoints = Checkpoints(folder, request.trainer.checkpoint_steps)
    reporter = Reporter(manifest.splits["train"].rows, total_steps, request.track if rank == 0 else None)
    gpu = torch.cuda.is_available()
    trainer = Trainer(
        accelerator="gpu" if gpu else "cpu",
        devices=local_ranks,
        num_nodes=request.world_size // local_ranks,
        strategy=parallelism.strategy(request.world_size, "nccl" if gpu else "gloo"),
        precision=request.trainer.precision,
        max_epochs=request.trainer.max_epochs,
        callbacks=[
            EarlyStopping("validation_loss", min_delta=MISSED, patience=request.trainer.patience),
            checkpoints,
            *([reporter] if rank == 0 else []),
        ],
        num_sanity_val_steps=0,
        use_distributed_sampler=False,  # the feed has its own shares
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(learner, train, validation, ckpt_path=last_checkpoint(folder), weights_only=True)
    if torch.distributed.is_initialized():  # part in good order: a peer's early exit would abort the others
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()
    if rank != 0:
        return None
    reporter.close()
    partial = request.run_folder / f"weights.pt{PARTIAL}"
    shutil.copyfile(checkpoints.best, partial)
    return TrainResult(
        weights=partial.replace(request.run_folder / "weights.pt"),
        epochs=trainer.current_epoch,
        best_epoch=checkpoints.best_epoch,
        steps=trainer.global_step,
        resumed_from_step=checkpoints.resumed_from_step,
        validation_loss=checkpoints.best_loss,
        metrics=reporter.metrics,
        rows_per_second=reporter.metrics["rows_per_second"],
    )
