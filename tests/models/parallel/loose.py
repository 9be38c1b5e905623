"""What ranks do for the tests beside it: ranks that step alone against the same thing in one process.

torchrun -m tests.models.parallel.loose CASE ...
"""

import sys
from copy import deepcopy

import torch
from torch import Tensor, nn

from models.networks.network import Network
from tests.models.parallel.alike import ROWS, batch, compare, loss, network, share, wrapped

RATE = 0.1


def averaging_each_step_is_one_process() -> None:
    """With SGD within, and nothing but the average without."""
    plain = network()
    how = {"every": 1, "outer_learning_rate": 1.0, "outer_momentum": 0.0}
    strategy, ours, forward = wrapped("local_sgd", plain, **how)
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


def apart(held: nn.Module) -> bool:
    """Whether ranks hold different weights."""
    flat = torch.cat([parameter.detach().flatten() for parameter in held.parameters()])
    all_of_them: list[Tensor] = [torch.empty_like(flat) for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather(all_of_them, flat)
    return any(not torch.equal(one, flat) for one in all_of_them)


if __name__ == "__main__":
    torch.distributed.init_process_group("gloo")
    for case in sys.argv[1:]:
        globals()[case]()
    torch.distributed.destroy_process_group()
