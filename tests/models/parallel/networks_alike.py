"""What ranks do for `test_networks`: a step of each network by a strategy against one of the plain network.

torchrun -m tests.models.parallel.networks_alike FEATURE_SET TEXT STRATEGY ...
"""

import sys
from copy import deepcopy
from typing import Any

import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh

from conf.manifest import Manifest, read_manifest
from conf.networks import AnyNetwork
from conf.strategies import StrategyName
from conf.training import Checkpointing
from models.criterion import Criterion
from models.feeds.batch import Batch
from models.feeds.feed import Feed
from models.feeds.record import Record
from models.feeds.stored import Stored
from models.networks import build
from models.parallel import load
from models.parallel.checkpointing import checkpoint_blocks
from models.train import leave
from tests.models.launch import parallel
from tests.models.networks.cases import SMALL, SMALL_DECODER, without_dropout
from tests.models.parallel.alike import compare

ROWS = 24
HOWS: dict[StrategyName, Checkpointing] = {"ddp": "sqrt", "fsdp": "every", "tensor": "selective", "pipeline": "none"}


def part(batch: Batch, which: slice) -> Batch:
    tensors = tuple(tensor[which] for tensor in batch.tensors)
    return Batch(batch.numeric[which], batch.categorical[which], tensors, batch.label[which])


def same_steps(strategy: StrategyName, model: AnyNetwork, manifest: Manifest, batches: list[Batch]) -> None:
    """Clipped steps end where those of the plain network do."""
    torch.manual_seed(0)
    plain = build(without_dropout(model), manifest)
    ranks = torch.distributed.get_world_size()
    ours, ranked = deepcopy(plain), load(parallel(strategy, world_size=ranks), ranks)
    checkpoint_blocks(ours, HOWS[strategy])
    ranked.inspect(ours, model.name, Record.of(manifest).example(2))
    sizes = dict(ranked.dimensions)
    forward = ranked.wrap(ours, init_device_mesh("cpu", tuple(sizes.values()), mesh_dim_names=tuple(sizes)))
    optimizer = ranked.optimizer(ours, lambda parameters: torch.optim.AdamW(parameters, lr=1e-3, fused=True))
    reference, loss = torch.optim.AdamW(plain.parameters(), lr=1e-3), Criterion(manifest)
    place = ranked.replica(torch.distributed.get_rank())
    share = slice(place * ROWS // ranked.replicas, (place + 1) * ROWS // ranked.replicas)
    for batch in batches:
        ranked.backward(ranked.train(forward, part(batch, share), loss, 1.0))
        reference.zero_grad()
        torch.autograd.backward(loss(plain(*batch.inputs), batch))
        gradients = [parameter.grad for parameter in plain.parameters() if parameter.grad is not None]
        most = float(nn.utils.get_total_norm(gradients)) / 3  # so that it matters
        ranked.clip(ours, most)
        nn.utils.clip_grad_norm_(plain.parameters(), most)
        compare(ours, plain, lambda parameter: parameter.grad)
        for one in (optimizer, reference):
            one.step()
        if not ranked.clears:
            optimizer.zero_grad()
        compare(ours, plain, lambda parameter: parameter)


def some(folder: str) -> tuple[Manifest, list[Batch]]:
    manifest = read_manifest(folder)
    return manifest, list(Feed(Stored(folder, manifest, "train", 2**20), batch_size=ROWS, shuffle=False))[:2]


def main(folder: str, text: str, *strategies: Any) -> None:
    of_columns, of_text = some(folder), some(text)
    for strategy in strategies:
        for name, model in SMALL.items():
            if (strategy, name) != ("tensor", "cnn"):  # which has no layer to split
                same_steps(strategy, model, *of_columns)
        same_steps(strategy, SMALL_DECODER, *of_text)


if __name__ == "__main__":
    torch.distributed.init_process_group("gloo")
    main(*sys.argv[1:])
    torch.distributed.barrier()
    leave()
