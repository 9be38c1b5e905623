"""What ranks do for the tests beside it: a strategy's gradients and steps against those of a plain network.

torchrun -m tests.models.parallel.alike CASE ...
"""

import sys
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from conf.strategies import StrategyName
from conf.training import Checkpointing
from models.feeds.batch import Batch
from models.networks.network import Network
from models.networks.parts import Split
from models.parallel import load
from models.parallel.checkpointing import checkpoint_blocks
from models.parallel.parallelism import Parallelism
from models.train import leave
from tests.models.launch import parallel

WIDTH, ROWS = 8, 24


class Residual(nn.Module):
    """Two layers with dropout between them, beside what they take."""

    splits: ClassVar[Mapping[str, Split]] = {"first": "columns", "second": "rows"}

    def __init__(self, dropout: float) -> None:
        """Make the layers."""
        super().__init__()
        self.norm, self.dropout = nn.LayerNorm(WIDTH), nn.Dropout(dropout)
        self.first, self.second = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)
        self.dropped: Tensor | None = None

    def forward(self, row: Tensor, *beside: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Change the row; another tensor goes along."""
        self.dropped = self.dropout(self.first(self.norm(row)).relu())
        changed = row + self.second(self.dropped)
        return (changed, *beside) if beside else changed


class Pair(nn.Module):
    """A state of two tensors, of which the second has no gradient and may be empty."""

    def forward(self, numeric: Tensor, categorical: Tensor) -> tuple[Tensor, Tensor]:
        """Give both, as views that are not contiguous."""
        return numeric.t().contiguous().t(), categorical.t().float().t()


class Joined(nn.Linear):
    """The head of such a state."""

    def forward(self, row: Tensor, beside: Tensor) -> Tensor:
        """Add the second tensor's sum."""
        return super().forward(row) + beside.sum(1, keepdim=True)


class One(nn.Linear):
    """A state of one tensor."""

    def forward(self, numeric: Tensor, categorical: Tensor) -> Tensor:  # noqa: ARG002 -- what a stem gets
        """Take the numbers."""
        return super().forward(numeric)


def network(*, pair: bool = False, dropout: float = 0.0, blocks: int = 5) -> Network:
    torch.manual_seed(0)
    made = [Residual(dropout) for _ in range(blocks)]
    return Network(Pair(), made, Joined(WIDTH, 1)) if pair else Network(One(WIDTH, WIDTH), made, nn.Linear(WIDTH, 1))


def batch(rows: int, codes: int = 2) -> Batch:
    generator = torch.Generator().manual_seed(rows)
    numbers, label = torch.randn(rows, WIDTH, generator=generator), 30 * torch.randn(rows, generator=generator)
    return Batch(numbers, torch.randint(3, (rows, codes), generator=generator), (), label)


def loss(outputs: Tensor, rows: Batch) -> Tensor:
    """Mean, and 0 for no rows, as `models.criterion.Criterion`."""
    return (outputs[:, 0] - rows.label).square().mean() if len(rows.label) else outputs.sum()


def whole(tensor: Tensor | None) -> Tensor:
    assert tensor is not None
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def wrapped(
    name: StrategyName, plain: Network, *, how: Checkpointing = "none", **changes: Any
) -> tuple[Parallelism[Any], Network, Callable[..., Tensor]]:
    """A strategy over all ranks, with a copy of a network."""
    ranks = torch.distributed.get_world_size()
    strategy, ours = load(parallel(name, world_size=ranks, **changes), ranks), deepcopy(plain)
    checkpoint_blocks(ours, how)
    strategy.inspect(ours, "test", batch(2))
    sizes = dict(strategy.dimensions)
    mesh = init_device_mesh("cpu", tuple(sizes.values()), mesh_dim_names=tuple(sizes))
    return strategy, ours, strategy.wrap(ours, mesh)


def share(strategy: Parallelism[Any], rows: Batch) -> Batch:
    """This rank's rows."""
    rank = strategy.replica(torch.distributed.get_rank())
    part = slice(rank * len(rows.label) // strategy.replicas, (rank + 1) * len(rows.label) // strategy.replicas)
    return Batch(rows.numeric[part], rows.categorical[part], (), rows.label[part])


def same_steps(
    name: StrategyName, *, pair: bool = False, codes: int = 2, rows: tuple[int, ...], **changes: Any
) -> None:
    """Clipped steps over batches of so many rows end where those of a plain network do, and so do gradients."""
    plain = network(pair=pair)
    strategy, ours, forward = wrapped(name, plain, **changes)
    optimizer = strategy.optimizer(ours, lambda parameters: torch.optim.AdamW(parameters, lr=1e-3, fused=True))
    reference = torch.optim.AdamW(plain.parameters(), lr=1e-3)
    for count in rows:
        step = batch(count, codes)
        given = strategy.train(forward, share(strategy, step), loss, 1.0)
        strategy.backward(given)
        expected = loss(plain(*step.inputs), step)
        reference.zero_grad()
        expected.backward()
        if strategy.sees_outputs and strategy.replicas == 1:
            torch.testing.assert_close(given.detach(), expected.detach())
        compare(ours, plain, lambda parameter: parameter.grad)
        strategy.clip(ours, 1.0)
        assert nn.utils.clip_grad_norm_(plain.parameters(), 1.0) > 2  # so that it matters
        compare(ours, plain, lambda parameter: parameter.grad)
        optimizer.step()
        reference.step()
        if not strategy.clears:
            optimizer.zero_grad()
        assert all(parameter.grad is None for parameter in ours.parameters())
        compare(ours, plain, lambda parameter: parameter)
        with torch.inference_mode():
            judged = strategy.judge(forward, share(strategy, step), loss)
            if strategy.sees_outputs and strategy.replicas == 1:
                torch.testing.assert_close(judged, loss(plain(*step.inputs), step))


def compare(ours: Network, plain: Network, of: Callable[[nn.Parameter], Tensor | None]) -> None:
    held = dict(plain.named_parameters())
    assert any(True for _ in ours.parameters())
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(whole(of(parameter)), whole(of(held[name])), rtol=1e-4, atol=1e-5, msg=name)


def own_dropout() -> None:
    """Ranks that split a layer drop numbers of their own between its halves, and the same ones elsewhere."""
    strategy, ours, forward = wrapped("tensor", network(dropout=0.5), tensor_size=2)
    outputs = forward(*batch(ROWS).inputs)
    dropped = [cast("Residual", block).dropped for block in ours.blocks]
    for tensor, alike in [(outputs, True), *((whole(tensor) == 0, False) for tensor in dropped[:2])]:
        others = [torch.empty_like(tensor) for _ in range(2)]
        torch.distributed.all_gather(others, tensor.detach())
        assert torch.equal(*others) is alike
    assert strategy.replicas == 1
    assert not torch.equal(whole(dropped[0]) == 0, whole(dropped[1]) == 0)
    strategy, ours, forward = wrapped("tensor", network(dropout=0.5), tensor_size=2, how="every")
    torch.manual_seed(3)
    loss(forward(*batch(ROWS).inputs), batch(ROWS)).backward()
    recomputed = [parameter.grad for parameter in ours.parameters()]
    strategy, ours, forward = wrapped("tensor", network(dropout=0.5), tensor_size=2)
    torch.manual_seed(3)
    loss(forward(*batch(ROWS).inputs), batch(ROWS)).backward()
    for one, other in zip(recomputed, ours.parameters(), strict=True):
        assert torch.equal(whole(one), whole(other.grad))


MODES: tuple[Checkpointing, ...] = ("none", "sqrt", "every", "selective")
UNEVEN = (24, 23, 24, 3)  # 23 do not divide by 8 parts, 3 are fewer than there are parts


def pipeline_cases() -> None:
    for schedule in ("gpipe", "1f1b", "interleaved"):
        for how in MODES:
            same_steps("pipeline", schedule=schedule, microbatches=8, how=how, rows=UNEVEN)
        same_steps("pipeline", schedule=schedule, pair=True, rows=(ROWS, 23))
        same_steps("pipeline", schedule=schedule, pair=True, codes=0, rows=(ROWS, ROWS))
        recomputing_changes_nothing(schedule)


def recomputing_changes_nothing(schedule: str) -> None:
    """Not in lower precision, nor with dropout; and from the second step on, messages are under way early."""
    steps = {}
    for how in MODES:
        strategy, ours, forward = wrapped("pipeline", network(dropout=0.5), how=how, schedule=schedule, microbatches=4)
        torch.manual_seed(torch.distributed.get_rank())
        for _ in range(2):
            ours.zero_grad()
            with torch.autocast("cpu", torch.bfloat16):
                strategy.backward(strategy.train(forward, batch(ROWS), loss, 1.0))
        steps[how] = [parameter.grad for parameter in ours.parameters()]
        assert all(stage.early for stages in cast("Any", strategy)._stages._made.values() for stage in stages)
    for how in MODES[1:]:
        for one, other in zip(steps["none"], steps[how], strict=True):
            assert one is not None
            assert torch.equal(one, cast("Tensor", other))


def tensor_cases() -> None:
    for how in MODES:
        same_steps("tensor", tensor_size=2, how=how, rows=(ROWS, ROWS))


def buckets_are_laid_in_the_first_step() -> None:
    """And what that takes shows nowhere: no gradients, no numbers drawn."""
    plain = network(dropout=0.5)
    strategy, ours, forward = wrapped("ddp", plain)
    assert isinstance(forward, DistributedDataParallel)
    step = share(strategy, batch(ROWS))
    before = torch.get_rng_state()
    first = strategy.train(forward, step, loss, 1.0)
    assert forward._has_rebuilt_buckets
    assert all(parameter.grad is None for parameter in ours.parameters())
    strategy.backward(first)
    torch.set_rng_state(before)
    assert torch.equal(first, strategy.train(forward, step, loss, 1.0))


def replica_cases() -> None:
    for how in MODES:
        same_steps("ddp", how=how, rows=(ROWS, ROWS))
        for replicas in (1, 2):  # 2: hybrid sharding
            same_steps("fsdp", replicas=replicas, how=how, rows=(ROWS, ROWS))


if __name__ == "__main__":
    torch.distributed.init_process_group("gloo")
    for case in sys.argv[1:]:
        globals()[case]()
    torch.distributed.barrier()
    leave()
