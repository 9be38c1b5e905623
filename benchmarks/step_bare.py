"""A bare PyTorch loop over the feed of a request: `python -m benchmarks.step_bare REQUEST.json`.

The same network, batches, optimizer, schedule, clipping and threads as training has, and nothing else: no Lightning, no
validation, no checkpoints, no reports.
"""

import time
from functools import partial

import torch

from conf.exchange import TrainRequest, serve
from conf.manifest import read_manifest
from conf.strict import Strict
from models import networks
from models.criterion import Criterion
from models.feeds import open_feed
from models.optimizers import Schedule, make
from models.parallel.world import count_cores
from models.threads import share_cores


class Bare(Strict):
    """What the loop took: seconds of a step, the making of the mapped files left out."""

    seconds: float


def loop(request: TrainRequest) -> Bare:
    """Train for as many epochs as the request wants."""
    manifest = read_manifest(request.feature_set)
    feed = open_feed(request.feed, request.feature_set, manifest, "train", seed=request.seed, rank=0, world_size=1)
    torch.manual_seed(request.seed)
    network = networks.build(request.model, manifest)
    share_cores(network, request.feed.batch_size, count_cores())
    optimizer = partial(make, request.optimizer)(network.parameters())
    steps = len(feed) * request.trainer.max_epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, Schedule(request.optimizer, steps))
    criterion, clip = Criterion(manifest), request.trainer.gradient_clip
    began = time.perf_counter()
    for _ in range(request.trainer.max_epochs):
        for batch in feed:
            loss = criterion(network(*batch.inputs), batch)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            if clip is not None:
                torch.nn.utils.clip_grad_norm_(network.parameters(), clip, foreach=True)
            optimizer.step()
            schedule.step()
    return Bare(seconds=(time.perf_counter() - began) / steps)


if __name__ == "__main__":
    serve(TrainRequest, loop)
