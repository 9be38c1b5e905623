"""What ranks do for the tests beside it: ranks that step alone against the same thing in one process.

torchrun -m tests.models.parallel.loose CASE[=FOLDER] ...
"""

import random
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from conf.training import Checkpointing
from models.feeds.batch import Batch
from models.feeds.feed import Feed
from models.networks.network import Network
from models.parallel.parallelism import Parallelism
from models.train import leave
from tests.models.feeds.numbered import numbered, rows_of, source
from tests.models.parallel.alike import MODES, ROWS, batch, compare, loss, network, share, wrapped

RATE = 0.1
GROUPS = [[50, 30], [40]]  # rows of row groups of files


def averaging_each_step_is_one_process() -> None:
    """With SGD within, and nothing but the average without, whatever is kept of activations."""
    for how in MODES:
        averaging_each_step(how)


def averaging_each_step(how: Checkpointing) -> None:
    plain = network()
    settings = {"every": 1, "outer_learning_rate": 1.0, "outer_momentum": 0.0}
    strategy, ours, forward = wrapped("local_sgd", plain, how=how, **settings)
    optimizer = strategy.optimizer(ours, lambda parameters: torch.optim.SGD(parameters, lr=RATE))
    reference = torch.optim.SGD(plain.parameters(), lr=RATE)
    for count in (ROWS, ROWS // 2):
        step = batch(count)
        optimizer.zero_grad()
        strategy.backward(strategy.train(forward, share(strategy, step), loss, 1.0) / ROWS)
        optimizer.step()
        reference.zero_grad()
        torch.autograd.backward(loss(plain(*step.inputs), step) / ROWS)
        reference.step()
        compare(ours, plain, lambda parameter: parameter)


def outer_steps_are_those_of_algorithm_1() -> None:
    """All ranks' steps by hand, with torch's own Nesterov without."""
    plain, ranks = network(), torch.distributed.get_world_size()
    how = {"every": 3, "outer_learning_rate": 0.7, "outer_momentum": 0.9}
    strategy, ours, forward = wrapped("local_sgd", plain, **how)
    optimizer = strategy.optimizer(ours, lambda parameters: torch.optim.AdamW(parameters, lr=1e-3))
    workers = [deepcopy(plain) for _ in range(ranks)]
    inner = [torch.optim.AdamW(worker.parameters(), lr=1e-3) for worker in workers]
    outer = torch.optim.SGD(plain.parameters(), lr=0.7, momentum=0.9, nesterov=True)
    for number in range(1, 9):
        step = batch(ROWS + ranks * number)
        optimizer.zero_grad()
        strategy.backward(strategy.train(forward, share(strategy, step), loss, 1.0))
        optimizer.step()
        for rank, worker in enumerate(workers):
            part = slice(rank * len(step.label) // ranks, (rank + 1) * len(step.label) // ranks)
            rows = step._replace(numeric=step.numeric[part], categorical=step.categorical[part], label=step.label[part])
            inner[rank].zero_grad()
            torch.autograd.backward(loss(worker(*rows.inputs), rows))
            inner[rank].step()
        if number == 8:  # the end of an epoch, after two steps alone
            strategy.settle()
        if number in (3, 6, 8):
            come_together(plain, workers, outer)
            compare(ours, plain, lambda parameter: parameter)
        else:
            compare(ours, workers[torch.distributed.get_rank()], lambda parameter: parameter)
            assert apart(ours)


def come_together(whole: Network, workers: list[Network], outer: torch.optim.Optimizer) -> None:
    """Lines 9 and 10 of the algorithm."""
    for name, parameter in whole.named_parameters():
        replicas = [dict(worker.named_parameters())[name] for worker in workers]
        parameter.grad = torch.stack([parameter.detach() - replica.detach() for replica in replicas]).mean(0)
    outer.step()
    for worker in workers:
        worker.load_state_dict(whole.state_dict())


def a_free_rank_takes_the_next_batch(folder: str) -> None:
    """Every row once in an epoch, also in one that is gone on with; no gradient is too late; all end alike."""
    rank, ranks, most = torch.distributed.get_rank(), torch.distributed.get_world_size(), 3
    strategy, ours, forward = wrapped("async", network(), how="sqrt", max_staleness=most)
    optimizer = strategy.optimizer(ours, lambda parameters: torch.optim.AdamW(parameters, lr=1e-3))
    manifest = numbered(Path(folder) / str(rank), GROUPS)
    feed = Feed(
        source("mapped", Path(folder) / str(rank), manifest),
        batch_size=10,
        shuffle=True,
        division=strategy.division(rank),
    )
    before = torch.cat([parameter.detach().flatten() for parameter in ours.parameters()])
    generator, rows = random.Random(rank), sum(map(sum, GROUPS))  # noqa: S311 -- when, not what
    for first in (0, 0, 5):
        feed.load_state_dict({**feed.state_dict(), "epoch": 1, "legs": [(1, 10, first)]})
        seen: list[int] = []
        for given in feed:
            seen += rows_of(given)
            time.sleep(generator.random() / 500)
            step = batch(ROWS) if len(given.label) else batch(0)
            optimizer.zero_grad()
            optimizer.step(partial(one_step, strategy, forward, step))
        strategy.settle()
        assert not apart(ours)
        found: list[list[int]] = [[] for _ in range(ranks)]
        torch.distributed.all_gather_object(found, seen)
        together = [row for each in found for row in each]
        assert len(together) == len(set(together)) == rows - 10 * first
    assert not torch.equal(before, torch.cat([parameter.detach().flatten() for parameter in ours.parameters()]))
    if rank == 0:
        counts = strategy.histograms["staleness"]
        assert len(counts) == most + 1
        assert sum(counts) == 2 * rows // 10 + rows // 10 - 5
    strategy.close()


def one_step(strategy: Parallelism[Any], forward: Callable[..., Tensor], step: Batch) -> Tensor:
    """What Lightning hands to an optimizer."""
    given = strategy.train(forward, step, loss, 1.0)
    strategy.backward(given)
    return given


def apart(held: nn.Module) -> bool:
    """Whether ranks hold different weights."""
    flat = torch.cat([parameter.detach().flatten() for parameter in held.parameters()])
    all_of_them: list[Tensor] = [torch.empty_like(flat) for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather(all_of_them, flat)
    return any(not torch.equal(one, flat) for one in all_of_them)


if __name__ == "__main__":
    torch.distributed.init_process_group("gloo")
    for argument in sys.argv[1:]:
        case, *folder = argument.split("=")
        globals()[case](*folder)
    torch.distributed.barrier()  # a peer's early exit would abort the others
    leave()
