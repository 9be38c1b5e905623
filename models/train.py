"""Training, as every rank runs it: `torchrun --nproc-per-node N -m models.train REQUEST.json`."""

import os
from typing import Any

import torch

from conf.exchange import TrainRequest, TrainResult, serve
from conf.manifest import Manifest, SplitName, read_manifest
from models.feeds import open_feed
from models.feeds.feed import Feed
from models.feeds.transformed import Transformed
from models.parallel import load
from models.parallel.parallelism import Parallelism


def train(request: TrainRequest) -> TrainResult | None:
    """Train, or go on from the last checkpoint; every rank calls this.

    Returns:
        The best epoch's weights and how training went, on rank 0; None on the others.

    Raises:
        FranklinError: too few rows for the ranks, a loss that is not finite, checkpoints of another training.

    """
    rank, local_ranks = int(os.environ.get("RANK", "0")), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    manifest = read_manifest(request.feature_set)
    parallelism = load(request.strategy, request.world_size)
    feeds = [_feed(request, manifest, split, parallelism, rank) for split in ("train", "validation")]
    from models.fitting import fit  # takes two seconds to import, in which the feeds make their files

    return fit(request, manifest, parallelism, *feeds, rank=rank, local_ranks=local_ranks)


def _feed(
    request: TrainRequest, manifest: Manifest, split: SplitName, parallelism: Parallelism[Any], rank: int
) -> Feed | Transformed:
    """Open this rank's feed of a split."""
    training = split == "train"
    whole = training and parallelism.whole_steps
    return open_feed(
        request.feed,
        request.feature_set,
        manifest,
        split,
        seed=request.seed,
        rank=0 if whole else parallelism.replica(rank),
        world_size=1 if whole else parallelism.replicas,
        division=parallelism.division(rank) if training else None,
        device=torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if torch.cuda.is_available() else None,
    )


if __name__ == "__main__":
    serve(TrainRequest, train)
