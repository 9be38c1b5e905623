"""How long the ranks of a pipeline idle, and what they keep; every rank runs this, rank 0 prints.

torchrun --nproc-per-node N -m benchmarks.pipeline_one ours|torch SCHEDULE MICROBATCHES ROWS_OF_EACH STEPS BLOCKS

What a rank does is timed around each part's forward and backward pass in a stage; all else of a step it idles, be it
for other ranks, for messages or for torch's schedule. With "torch", messages go when torch's schedule asks for them;
with "ours", as `models.parallel.messages` has them. The network is blocks of width 512, cut as training cuts it.
"""

import json
import statistics
import sys
import time
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh

from benchmarks.feed_data import manifest_of
from conf.compose import compose
from conf.networks import Mlp
from models import networks
from models.criterion import Criterion
from models.feeds.batch import Batch
from models.parallel import load
from models.parallel.memory import watched
from models.parallel.messages import Stage, Way
from models.parallel.stages import Stages
from models.train import leave

SEED, WARM, COLUMNS, WIDTH = 1, 3, 64, 512


class Timed(Stage):
    """Adds up the seconds of passes."""

    busy = 0.0

    def forward_one_chunk(self, fwd_chunk_id: int, *arguments: Any, **options: Any) -> Any:
        """Time a forward pass, its message there."""
        self.arrive(Way.FORTH, fwd_chunk_id)
        began = time.perf_counter()
        out = super().forward_one_chunk(fwd_chunk_id, *arguments, **options)
        Timed.busy += time.perf_counter() - began
        return out

    def backward_one_chunk(self, bwd_chunk_id: int, *arguments: Any, **options: Any) -> None:
        """Time a backward pass, its message there."""
        self.arrive(Way.BACK, bwd_chunk_id)
        began = time.perf_counter()
        super().backward_one_chunk(bwd_chunk_id, *arguments, **options)
        Timed.busy += time.perf_counter() - began


class TorchsOwn(Timed):
    """Leaves messages to torch's schedule."""

    def expect(self, parts: int) -> None:
        """Do nothing."""


STAGES = {"ours": Timed, "torch": TorchsOwn}


def measure(schedule: str, parts: int, rows: int, steps: int, blocks: int) -> dict[str, Any]:
    """Run some steps: the share of a step that all ranks idle, its seconds, and bytes kept by each rank."""
    torch.set_num_threads(1)
    world_size = dist.get_world_size()
    widths = ",".join([str(WIDTH)] * blocks)
    settings = compose(
        "flights_delay",
        [
            f"model.hidden=[{widths}]",
            "model.dropout=0",
            "strategy=pipeline",
            f"strategy.schedule={schedule}",
            f"strategy.microbatches={parts}",
            f"strategy.world_size={world_size}",
        ],
    )
    manifest = manifest_of(parts * rows, COLUMNS)
    torch.manual_seed(SEED)
    assert isinstance(settings.model, Mlp)
    network = networks.build(settings.model, manifest)
    batch = Batch(
        torch.randn(parts * rows, COLUMNS),
        torch.zeros(parts * rows, 0, dtype=torch.int64),
        (),
        torch.randn(parts * rows),
    )
    strategy, loss = load(settings.strategy, world_size), Criterion(manifest)
    strategy.inspect(network, "mlp", Batch(batch.numeric[:2], batch.categorical[:2], (), batch.label[:2]))
    sizes = dict(strategy.dimensions)
    forward = strategy.wrap(network, init_device_mesh("cpu", tuple(sizes.values()), mesh_dim_names=tuple(sizes)))

    def step() -> tuple[float, float]:
        network.zero_grad()
        dist.barrier()
        Timed.busy, began = 0.0, time.perf_counter()
        strategy.train(forward, batch, loss, 1.0)
        dist.barrier()
        return Timed.busy, time.perf_counter() - began

    for _ in range(WARM):
        step()
    taken = [step() for _ in range(steps)]
    network.zero_grad()
    with watched(network) as alive:
        strategy.train(forward, batch, loss, 1.0)
    busy = statistics.median(busy for busy, _ in taken)
    wall = statistics.median(wall for _, wall in taken)
    mine = torch.tensor([busy, wall, float(alive.most)], dtype=torch.float64)
    ranks = [torch.empty_like(mine) for _ in range(world_size)]
    dist.all_gather(ranks, mine)
    seconds: list[Tensor] = [rank[0] for rank in ranks]
    return {
        "idle_share": 1 - float(sum(seconds)) / (world_size * wall),
        "seconds": wall,
        "busy": [float(rank[0]) for rank in ranks],
        "most_bytes": [int(rank[2]) for rank in ranks],
    }


if __name__ == "__main__":
    dist.init_process_group("gloo")
    whose, name, *numbers = sys.argv[1:]
    Stages.stage = STAGES[whose]
    found = measure(name, *map(int, numbers))
    if dist.get_rank() == 0:
        print(json.dumps(found))
    dist.barrier()  # part in good order
    leave()
