"""Fitting a network to a feed, as Lightning does it."""

import os
import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer

from conf.checkpoints import PARTIAL, identity
from conf.errors import FranklinError
from conf.exchange import TrainRequest, TrainResult
from conf.manifest import Manifest
from conf.strategies import Async, Fsdp
from models import networks
from models.averaging import Average
from models.balance import Balance
from models.checkpoints import SEEN_SECONDS, Checkpoints, begin, together
from models.feeds.feed import Feed
from models.feeds.record import Record
from models.feeds.transformed import Transformed
from models.marks import Marks
from models.measuring import Measure
from models.module import Learner
from models.networks.network import Network
from models.pace import Clock
from models.parallel.checkpointing import checkpoint_blocks
from models.parallel.parallelism import Parallelism
from models.parallel.plan import EXAMPLE_ROWS, Sketch
from models.parallel.ranks import Ranks, meet, part
from models.parallel.world import count_cores
from models.patience import Patience
from models.reporting import Reporter
from models.shards import Saver, consolidate, written
from models.stopping import Stop, take_over
from models.threads import share_cores
from models.watching import Watch

LONGER = timedelta(minutes=1)  # than it takes to find a rank that hangs, which says more


def _check_device(request: TrainRequest) -> None:
    """Ask torch itself: whoever started this rank may not have known."""
    strategy, gpu = request.strategy, torch.cuda.is_available()
    if request.trainer.accelerator == "gpu" and not gpu:
        wrong = "trainer.accelerator=gpu: torch sees no GPU on {}; take trainer.accelerator=auto"
    elif isinstance(strategy, Fsdp) and strategy.offload and not gpu:
        wrong = "strategy.offload=true: torch sees no GPU on {}; take strategy.offload=false"
    elif isinstance(strategy, Async) and gpu:
        wrong = "strategy=async works on processors, and torch sees a GPU on {}; take strategy=local_sgd"
    else:
        return
    raise FranklinError(wrong.format(socket.gethostname()))


def fit(
    request: TrainRequest,
    manifest: Manifest,
    parallelism: Parallelism[Any],
    train: Feed | Transformed,
    validation: Feed | Transformed,
    *,
    rank: int,
    local_ranks: int,
    stop: Stop,
    watch: Watch,
) -> TrainResult | None:
    """Fit the network, from the last checkpoint on if there is one; every rank calls this, with its own feeds.

    Returns:
        The best epoch's weights and how training went, on rank 0; None on the others.

    Raises:
        FranklinError: no GPU where one is wanted, a network that the strategy cannot take, a loss that is not finite,
            or checkpoints of another training.
        StoppedError: `stop` was asked, and there is a checkpoint to go on from.

    """
    _check_device(request)
    torch.manual_seed(request.seed)  # every rank makes the same network
    network = networks.build(request.model, manifest)
    checkpoint_blocks(network, request.checkpointing)
    parallelism.inspect(network, request.model.name, Record.of(manifest).example(EXAMPLE_ROWS))
    cores = request.cores or max(1, count_cores() // local_ranks)
    share_cores(network, request.feed.batch_size // (1 if parallelism.whole_steps else request.world_size), cores)
    folder = request.run_folder / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    fits = identity(request.seed, request.feed.batch_size, request.model) | {"feature_set": manifest.fingerprint}
    last = begin(folder, fits) if rank == 0 else None
    meet(request.world_size, timedelta(seconds=max(request.launcher.hang_seconds, SEEN_SECONDS)) + LONGER)
    if request.world_size > 1:
        last = together(folder, last)
    total_steps = request.trainer.max_epochs * -(-len(train) // request.trainer.accumulate)
    learner = Learner(
        network,
        manifest,
        request.optimizer,
        parallelism,
        steps=total_steps,
        gradient_clip=request.trainer.gradient_clip,
        seed=request.seed,
        spoilt=request.run_folder / "spoilt" / f"rank-{rank}.parquet",
    )
    plan = parallelism.plan(
        Sketch(request.model, manifest, request.trainer, request.checkpointing, request.feed.batch_size)
    )
    measure = Measure(network, parallelism)
    if request.trainer.compile:
        for block in network.blocks:
            block.compile()
    averaged = Average(network, request.trainer.average) if request.trainer.average else None
    saver = Saver(folder, request.trainer.keep_checkpoints)
    checkpoints = Checkpoints(
        saver, folder, request.trainer.checkpoint_steps, stop, steps_alone=parallelism.steps_alone
    )
    clock = Clock(parallelism.waits, request.fault, rank)
    track = request.track if rank == 0 else None
    reporter = Reporter(manifest.splits["train"].rows, total_steps, track, plan, (measure, clock, parallelism))
    trainer = Trainer(
        accelerator="gpu" if torch.cuda.is_available() else "cpu",
        devices=local_ranks,
        num_nodes=request.world_size // local_ranks,
        strategy=Ranks(parallelism, saver, averaged.state if averaged else dict),
        precision=request.trainer.precision,
        max_epochs=request.trainer.max_epochs,
        accumulate_grad_batches=request.trainer.accumulate,
        callbacks=[
            *([averaged] if averaged else []),  # before what looks at the loss and the checkpoint
            Patience(request.trainer.patience),
            Marks(watch),
            clock,
            *([Balance(parallelism.portions, clock)] if parallelism.portions and request.world_size > 1 else []),
            checkpoints,
            *([] if request.trainer.compile else [measure]),  # it would see no operators
            *([reporter] if rank == 0 else []),
        ],
        num_sanity_val_steps=0,
        use_distributed_sampler=False,  # the feed has its own shares
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    take_over(trainer)
    trainer.fit(learner, train, validation, ckpt_path=last, weights_only=True)
    parallelism.close()
    result = None
    if rank == 0:
        reporter.close(parallelism.histograms)
        result = TrainResult(
            weights=_best_weights(checkpoints, networks.build(request.model, manifest), request.run_folder),
            epochs=trainer.current_epoch,
            best_epoch=checkpoints.best_epoch,
            steps=trainer.global_step,
            resumed_from_step=checkpoints.resumed_from_step,
            restarts=int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")),
            validation_loss=checkpoints.best_loss,
            metrics=reporter.metrics,
            plan=plan,
            rows_per_second=reporter.metrics["rows_per_second"],
        )
    part(request.answer)  # only now: should rank 0 die before, all go on from the last checkpoint
    return result


def _best_weights(checkpoints: Checkpoints, network: Network, folder: Path) -> Path:
    """Write the weights of the best epoch, whole or not at all."""
    weights = folder / "weights.pt"
    partial = weights.with_name(weights.name + PARTIAL)
    whole = consolidate(checkpoints.best, network)
    with written(partial):
        torch.save(whole, partial)
    return partial.replace(weights)
