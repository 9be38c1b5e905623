"""What a strategy will cost: worked out on fake tensors, which have shapes and take no memory."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from conf.exchange import Plan
from conf.manifest import Manifest
from conf.networks import AnyNetwork
from conf.training import Checkpointing, Trainer
from models import networks
from models.criterion import Criterion
from models.feeds.batch import Batch
from models.feeds.record import Record
from models.networks.network import Network
from models.parallel.checkpointing import checkpoint_blocks
from models.parallel.memory import watched

EXAMPLE_ROWS = 2  # that it takes to look at a network
PASSES = 2  # over a network, to count operations and to count bytes
STATES = 2  # numbers that AdamW keeps for each parameter

Prepare = Callable[[Network], Network]


class Step(NamedTuple):
    """What a forward and a backward pass take: bytes alive at most, parameters and gradients apart, and operations."""

    activations_bytes: int
    flop: float


class Sketch:
    """A training as its shapes alone.

    Attributes:
        rows: of one step over all ranks together.

    """

    def __init__(
        self, model: AnyNetwork, manifest: Manifest, trainer: Trainer, checkpointing: Checkpointing, batch_size: int
    ) -> None:
        """Sketch the training of a network on a feature set."""
        self.rows = min(batch_size, manifest.splits["train"].rows)
        self._model, self._manifest, self._trainer, self._checkpointing = model, manifest, trainer, checkpointing
        self._record = Record.of(manifest)
        self._prepare: Prepare = lambda network: network
        self._in_stages = False

    def prepared(self, prepare: Prepare) -> "Sketch":
        """Sketch the training of what `prepare` makes of the network."""
        other = copy(self)
        other._prepare = prepare  # noqa: SLF001 -- of the same class
        return other

    def in_stages(self) -> "Sketch":
        """Sketch the training of a network that recomputes as stages of a pipeline do."""
        other = copy(self)
        other._in_stages = True  # noqa: SLF001 -- of the same class
        return other

    @property
    def name(self) -> str:
        """What the network is called."""
        return str(self._model.name)

    def network(self) -> Network:
        """Make the network; within a `fake` context it takes no memory."""
        network = self._prepare(networks.build(self._model, self._manifest))
        checkpoint_blocks(network, self._checkpointing)
        if self._in_stages:
            network.run = network.run_stage
        return network

    def fake(self) -> AbstractContextManager[Any]:
        """Open a context whose tensors have shapes and no memory."""
        return FakeTensorMode()

    def batch(self, rows: int) -> Batch:
        """Make a batch of so many rows."""
        return self._record.batch(torch.zeros(rows, self._record.width, dtype=torch.int32))

    def step(self, rows: int) -> Step:
        """Run a step of one rank's `rows`, `PASSES` times."""
        with self.fake():
            module, batch, loss = self.network(), self.batch(rows), Criterion(self._manifest)
            counter = FlopCounterMode(display=False)
            # One after the other: what counts operations would keep tensors alive.
            for counting in (counter, watched(module)):
                with counting as alive, self.precision():
                    torch.autograd.backward(loss(module(*batch.inputs), batch))
        return Step(alive.most, counter.get_total_flops())

    def precision(self) -> AbstractContextManager[Any]:
        """Open the context that a step runs in."""
        return torch.autocast("cpu", torch.bfloat16) if self._trainer.precision == "bf16-mixed" else nullcontext()

    def sizes(self) -> Mapping[str, int]:
        """Bytes of the parameters of the stem, of each block (`blocks.0`, ...), and of the head."""
        with self.fake():
            network = self.network()
            parts = {"stem": network.stem, **{f"blocks.{i}": block for i, block in enumerate(network.blocks)}}
            return {name: parameter_bytes(part) for name, part in [*parts.items(), ("head", network.head)]}


def parameter_bytes(module: nn.Module) -> int:
    """Bytes of a module's parameters."""
    return sum(parameter.numel() * parameter.element_size() for parameter in module.parameters())


def replicated(name: str, world_size: int, sketch: Sketch, rows: int, communicated_bytes: int = 0) -> Plan:
    """Plan for ranks that hold the whole network each."""
    held, step = sum(sketch.sizes().values()), sketch.step(rows)
    return Plan(
        strategy=name,
        world_size=world_size,
        parameters_bytes=held,
        gradients_bytes=held,
        optimizer_bytes=STATES * held,
        activations_bytes=step.activations_bytes,
        communicated_bytes=communicated_bytes,
        flop=step.flop,
        idle_share=0.0,
    )


def tensor_bytes(tensors: Any) -> int:
    """Bytes that this rank holds of tensors, in whatever containers."""
    leaves = torch.utils._pytree.tree_leaves(tensors)  # noqa: SLF001 -- it has no public name
    held = (leaf.to_local() if hasattr(leaf, "to_local") else leaf for leaf in leaves if isinstance(leaf, Tensor))
    return sum(leaf.numel() * leaf.element_size() for leaf in held)
