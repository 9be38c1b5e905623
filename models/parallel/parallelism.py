"""What every strategy is: how ranks are laid out, how they share a network, and how a step is done together."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.optim import Optimizer

from conf.exchange import Plan
from conf.strategies import AnyStrategy
from models.feeds.batch import Batch
from models.feeds.division import Division, Even, Portions
from models.networks.network import Network
from models.parallel.clipping import clip
from models.parallel.plan import Sketch, replicated
from models.parallel.waiting import Waits

S = TypeVar("S", bound=AnyStrategy)
Forward = Callable[..., Tensor]
Loss = Callable[[Tensor, Batch], Tensor]
Make = Callable[[Iterable[nn.Parameter]], Optimizer]
REPLICAS = "replicas"


class Parallelism(Generic[S]):
    """One kind of parallelism over some ranks; by default, replicas that don't talk to each other.

    Attributes:
        settings: what it was told.
        world_size: number of ranks.
        waits: how long this rank has waited for others.
        portions: what ranks take of a step's rows, if that may change.
        steps_alone: whether ranks do steps without one another, and may be at different ones.
        whole_steps: whether ranks take whole steps by turns, instead of parts of each.
        apart: whether ranks may hold different weights, under the same names, when a checkpoint is written.

    """

    portions: Portions | None = None
    steps_alone = whole_steps = apart = False

    def __init__(self, settings: S, world_size: int) -> None:
        """Plan for so many ranks; nothing is started."""
        self.settings, self.world_size, self.waits = settings, world_size, Waits()

    @property
    def name(self) -> str:
        """The word for it."""
        return str(self.settings.name)

    @property
    def dimensions(self) -> Mapping[str, int]:
        """The device mesh: sizes of its dimensions by name, whose product is the world size."""
        return {REPLICAS: self.world_size}

    @property
    def replicas(self) -> int:
        """How many different batches are worked on in a step; ranks of one replica see the same rows."""
        return self.world_size

    def replica(self, rank: int) -> int:
        """The replica that a rank belongs to."""
        return rank * self.replicas // self.world_size

    def division(self, rank: int) -> Division:
        """Say which of a step's rows a rank takes, where it has all of them at hand."""
        return Even(self.replica(rank), self.replicas)

    def plan(self, sketch: Sketch) -> Plan:
        """Predict what a step costs."""
        return replicated(self.name, self.world_size, sketch, self.rows(sketch), self.communicated(sketch))

    def rows(self, sketch: Sketch) -> int:
        """Rows of a step that a replica has at most."""
        return -(-sketch.rows // self.replicas)

    def communicated(self, sketch: Sketch) -> int:  # noqa: ARG002 -- others use it
        """Bytes that a rank sends in a step."""
        return 0

    @property
    def period(self) -> int:
        """Over how many steps ranks send what they are planned to send in each, on average."""
        return 1

    def stream(self, rank: int) -> int:
        """Which stream of random numbers a rank draws dropout from; ranks that do the same work draw the same."""
        return self.replica(rank)

    def inspect(self, network: Network, name: str, example: Batch) -> None:
        """Look at a network before anything starts; every rank does.

        Args:
            network: on the CPU.
            name: what a person calls it.
            example: a few rows, whatever they say.

        Raises:
            FranklinError: it cannot be parallelised so.

        """

    def place(self, module: nn.Module, device: torch.device) -> None:
        """Move a module, the network or what contains it, to where it is computed; again is harmless."""
        module.to(device)

    def wrap(self, network: Network, mesh: DeviceMesh | None) -> Forward:  # noqa: ARG002 -- others use it
        """Prepare `network` in place, and say how its forward pass is called; `mesh` is None for one rank."""
        return network

    @property
    def clears(self) -> bool:
        """Whether it clears gradients itself, after each step."""
        return False

    @property
    def sees_outputs(self) -> bool:
        """Whether this rank has the network's outputs, and so a loss."""
        return True

    def train(self, forward: Forward, batch: Batch, loss: Loss, share: float) -> Tensor:  # noqa: ARG002 -- others use it
        """Give the mean loss of this rank's rows, as a start for `backward`.

        Args:
            forward: as `wrap` gave it.
            batch: this rank's rows.
            loss: their mean loss.
            share: what the batch counts for among those of its step; only for gradients that are there when this ends.

        """
        return loss(forward(*batch.inputs), batch)

    def backward(self, loss: Tensor) -> None:
        """Work out the gradients of what `train` gave."""
        loss.backward()  # type: ignore[no-untyped-call]

    def judge(self, forward: Forward, batch: Batch, loss: Loss) -> Tensor:
        """Give the mean loss of this rank's rows, without gradients."""
        return loss(forward(*batch.inputs), batch)

    def optimizer(self, network: Network, make: Make) -> Optimizer:
        """Make the optimizer of what this rank holds."""
        return make(network.parameters())

    def accumulating(self) -> AbstractContextManager[None]:
        """Open a context in which gradients only add up, because another batch comes before the step."""
        return nullcontext()

    def clip(self, network: nn.Module, most: float) -> float:
        """Scale all gradients down so that their norm, over all ranks that hold parts of them, is at most `most`.

        Returns:
            The norm; if it is not finite, gradients stay as they are.

        """
        return clip(network.parameters(), most)

    def settle(self) -> None:
        """Have all ranks hold the same weights: what is judged next."""

    def kept(self, network: Network, optimizer: Optimizer) -> tuple[Network, Optimizer] | None:
        """Give what a checkpoint keeps of this rank, if anything, with nothing under way; all ranks call this."""
        return network, optimizer

    def state(self) -> dict[str, Any]:
        """Tensors of its own that a checkpoint has to keep, by name; they are loaded in place."""
        return {}

    def besides(self) -> Any:
        """Tensors that it holds beside the network, its gradients and the optimizer's state."""
        return self.state()

    @property
    def sent_bytes(self) -> int:
        """Sent by now from threads of its own, into which nobody else sees."""
        return 0

    @property
    def metrics(self) -> dict[str, float]:
        """What there is to say of it, on rank 0."""
        return {}

    @property
    def histograms(self) -> dict[str, Sequence[int]]:
        """What was counted, on rank 0: at place `n`, how often `n` was met."""
        return {}

    def close(self) -> None:
        """Part from others in good order, after training; all ranks call this."""

    def resumed(self, *, found: bool) -> None:
        """Hear that a checkpoint was loaded, and whether it had the `state`: that of another strategy has not."""
