"""Training, as every rank runs it: `python -m models.train REQUEST.json`, with the variables that torchrun sets."""

import multiprocessing
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.distributed.elastic.multiprocessing.errors import record

from conf.exchange import ANSWER_SECONDS, TrainRequest, TrainResult, serve
from conf.manifest import Manifest, SplitName, read_manifest
from models.feeds import open_feed
from models.feeds.feed import Feed
from models.feeds.transformed import Transformed
from models.finite import ElsewhereError
from models.launching.parent import die_with_parent
from models.parallel import load
from models.parallel.parallelism import Parallelism
from models.stopping import Stop
from models.watching import Watch


def train(request: TrainRequest, stop: Stop) -> TrainResult | None:
    """Train, or go on from the last checkpoint; every rank calls this.

    Returns:
        The best epoch's weights and how training went, on rank 0; None on the others.

    Raises:
        FranklinError: too few rows for the ranks, a loss that is not finite, checkpoints of another training.

    """
    rank, local_ranks = int(os.environ.get("RANK", "0")), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    with Watch(rank, request.world_size, request.launcher.hang_seconds, request.answer).running() as watch:
        manifest = read_manifest(request.feature_set)
        parallelism = load(request.strategy, request.world_size)
        feeds = [_feed(request, manifest, split, parallelism, rank) for split in ("train", "validation")]
        from models.fitting import fit  # takes two seconds to import, in which the feeds make their files

        try:
            return fit(
                request, manifest, parallelism, *feeds, rank=rank, local_ranks=local_ranks, stop=stop, watch=watch
            )
        except ElsewhereError:
            wait_for(request.answer)
            raise


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


def wait_for(answer: Path) -> None:
    """Let another rank answer, if one does; this one has nothing to add.

    Raises:
        SystemExit: it has.

    """
    deadline = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < deadline:
        if answer.exists():
            raise SystemExit(1)
        time.sleep(0.1)


def leave(status: int = 0) -> None:
    """End this process now: while Python ends in good order, threads of torch may abort it."""
    for worker in multiprocessing.active_children():
        worker.terminate()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


@record  # tells the agent what was raised
def main() -> None:
    """Run this rank."""
    die_with_parent()  # its agent: another one may soon go on here
    stop = Stop()
    stop.listen()
    try:
        serve(TrainRequest, partial(train, stop=stop))
    except SystemExit as ended:
        leave(ended.code if isinstance(ended.code, int) else 1)
    leave()


if __name__ == "__main__":
    main()
