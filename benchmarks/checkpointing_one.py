"""One measurement of `benchmarks.checkpointing`, in a process of its own.

python -m benchmarks.checkpointing_one CASE.json [REFERENCE.pt]
"""

import re
import statistics
import sys
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from conf.manifest import read_manifest
from conf.networks import AnyNetwork
from conf.strict import Strict
from conf.training import Checkpointing, Feed, Optimizer
from models import networks
from models.criterion import Criterion
from models.feeds import open_feed
from models.feeds.batch import Batch
from models.networks.network import Network
from models.optimizers import make
from models.parallel.checkpointing import checkpoint_blocks
from models.parallel.memory import watched

CLIP = 1.0
WARM = 2  # steps that are not counted


class Case(Strict):
    """What is measured.

    Attributes:
        features: a feature set.
        steps: that are timed.
        full: whether steps are those of training, with feed, clipping and optimizer, or forward and backward passes.
        gradients: a file of the gradients that others have to equal; made if it is not there.

    """

    features: str
    model: AnyNetwork
    optimizer: Optimizer
    feed: Feed
    checkpointing: Checkpointing
    bf16: bool
    steps: int
    full: bool
    gradients: Path | None


class Found(Strict):
    """What was seen.

    Attributes:
        kept_bytes: of what the forward pass made and is kept for the backward pass.
        most_bytes: of all storages that the step made, while most of them were alive.
        resident_bytes: by which the largest resident size of the process grew.
        seconds: of a step, the median.
        difference: largest one of gradients, against the largest gradient; None if there was nothing to compare with.
        loss: of the first batch.

    """

    kept_bytes: int
    most_bytes: int
    resident_bytes: int
    seconds: float
    difference: float | None
    loss: float


def measure(case: Case) -> Found:
    """Measure memory in one step, then time others."""
    torch.set_num_threads(2)
    manifest = read_manifest(case.features)
    feed = open_feed(case.feed, case.features, manifest, "train", seed=1, rank=0, world_size=1)
    batches = iter(feed)
    torch.manual_seed(1)
    network = networks.build(case.model, manifest)
    checkpoint_blocks(network, case.checkpointing)
    criterion, batch = Criterion(manifest), next(batches)
    optimizer = make(case.optimizer, network.parameters())

    def forward(batch: Batch) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=case.bf16):
            return criterion(network(*batch.inputs), batch)

    def train() -> None:
        optimizer.zero_grad()
        torch.autograd.backward(forward(next(batches)))
        nn.utils.clip_grad_norm_(network.parameters(), CLIP, foreach=True)
        optimizer.step()

    before = _peak_bytes()
    torch.autograd.backward(forward(batch))
    resident = _peak_bytes() - before
    network.zero_grad()
    with watched(network) as alive:
        loss = forward(batch)
        kept = alive.activations
        torch.autograd.backward(loss)
    difference = _difference(network, case.gradients) if case.gradients else None
    taken = []
    for _ in range(WARM + case.steps):
        began = time.perf_counter()
        if case.full:
            train()
        else:
            network.zero_grad()
            torch.autograd.backward(forward(batch))
        taken.append(time.perf_counter() - began)
    return Found(
        kept_bytes=kept,
        most_bytes=alive.most,
        resident_bytes=resident,
        seconds=statistics.median(taken[WARM:]),
        difference=difference,
        loss=float(loss.detach()),
    )


def _peak_bytes() -> int:
    """The largest resident size so far; `getrusage` would begin with that of whoever started this process."""
    (line,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    return 1024 * int(line)


def _difference(network: Network, file: Path) -> float:
    """Compare gradients with those in a file, which is made if it is missing."""
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    if not file.exists():
        torch.save(gradients, file)
    reference: list[Tensor] = torch.load(file)
    largest = max(float(tensor.abs().max()) for tensor in reference)
    pairs = zip(gradients, reference, strict=True)
    return max(float((mine - theirs).abs().max()) for mine, theirs in pairs) / largest


if __name__ == "__main__":
    print(measure(Case.model_validate_json(Path(sys.argv[1]).read_text(encoding="utf-8"))).model_dump_json())
