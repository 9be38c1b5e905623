"""No barrier: gradients are taken as they arrive, and a batch goes to whichever rank is free.

Li et al. 2014, "Scaling Distributed Machine Learning with the Parameter Server": rank 0 keeps the weights and their
optimizer beside its own work (`models.parallel.master`); other ranks send it gradients, and get weights and the number
of their next batch back. How late a gradient may be is bounded (`models.parallel.staleness`).

A batch is a whole step of the stream, so there are as many updates as in one process, in nearly the same order, and a
slow rank takes fewer. To Lightning every rank goes through all steps; those of others have no rows and cost little.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor
from torch.distributed import ProcessGroup
from torch.distributed.device_mesh import DeviceMesh
from torch.optim import Optimizer

from conf.exchange import Plan
from conf.strategies import Async
from models.feeds.batch import Batch
from models.feeds.division import Division
from models.networks.network import Network
from models.parallel.letter import Letter
from models.parallel.master import Master
from models.parallel.parallelism import Forward, Loss, Make, Parallelism
from models.parallel.plan import STATES, Sketch

SERVING = timedelta(days=365)  # letters may take as long as validation; it is the agent that finds a rank gone
LOOKED_AT = 16  # steps of each rank, over which what is sent is averaged


class Strategy(Parallelism[Async]):
    """Asynchronous data parallelism with a parameter server."""

    steps_alone = whole_steps = True
    _mesh: DeviceMesh | None = None
    _group: ProcessGroup
    _master: Master | None = None
    _letters: Sequence[Letter] = ()

    @property
    def period(self) -> int:
        """Who does how many steps varies."""
        return LOOKED_AT * self.world_size

    def division(self, rank: int) -> Division:  # noqa: ARG002 -- whoever is free takes a batch
        """Take whole batches by turns."""
        self._turns = _Turns(self._pull)
        return self._turns

    def stream(self, rank: int) -> int:  # noqa: ARG002 -- no two ranks have the same batch
        """Dropout is that of a batch, whoever has it."""
        return 0

    def rows(self, sketch: Sketch) -> int:
        """All of a step."""
        return sketch.rows

    def plan(self, sketch: Sketch) -> Plan:
        """Predict what rank 0 needs: a second set of weights, a letter for each rank. It does its part of the steps."""
        plan = super().plan(sketch)
        besides = plan.parameters_bytes * (1 + STATES + self.world_size)
        return plan.model_copy(update={"optimizer_bytes": besides, "flop": plan.flop / self.world_size})

    def communicated(self, sketch: Sketch) -> int:
        """Answer each step that another rank does with the weights."""
        return (self.world_size - 1) * sum(sketch.sizes().values()) // self.world_size

    def wrap(self, network: Network, mesh: DeviceMesh | None) -> Forward:
        """Leave the network as it is."""
        self._mesh = mesh
        if mesh is not None:
            self._group = torch.distributed.new_group(backend="gloo", timeout=SERVING)
        return network

    def optimizer(self, network: Network, make: Make) -> Optimizer:
        """Make what stands for the optimizer, which rank 0 has."""
        stand_in = make(network.parameters())
        self._parameters: list[Tensor] = list(network.parameters())
        rank = self._mesh.get_rank() if self._mesh else 0
        served = range(1, self.world_size) if rank == 0 else range(0)
        self._letters = [Letter(self._parameters, len(stand_in.param_groups)) for _ in range(1 + len(served))]
        if rank == 0:
            whole = deepcopy(network)
            self._master = Master(whole, make(whole.parameters()), self.settings.max_staleness)
            if served:
                self._master.serve(served, self._group, self._letters[1:])
        return _StandIn(stand_in.param_groups, self._push)

    def train(self, forward: Forward, batch: Batch, loss: Loss, share: float) -> Tensor:
        """Give the mean loss of a batch, if it is this rank's."""
        return super().train(forward, batch, loss, share) if len(batch.label) else torch.zeros(())

    def backward(self, loss: Tensor) -> None:
        """Work out the gradients, if there are any."""
        if loss.requires_grad:
            super().backward(loss)

    def settle(self) -> None:
        """Take the weights from rank 0, once all gradients have arrived there."""
        letter = self._letters[0]
        self._meet()
        if self._master:
            self._master.copy_to(letter)
        if self._mesh:
            torch.distributed.broadcast(letter.whole, 0, self._mesh.get_group())
        self._take(letter)

    def kept(self, network: Network, optimizer: Optimizer) -> tuple[Network, Optimizer] | None:  # noqa: ARG002 -- of this rank
        """Give what rank 0 has, once all gradients have arrived there."""
        self._meet()
        return (self._master.network, self._master.optimizer) if self._master else None

    def resumed(self, *, found: bool) -> None:  # noqa: ARG002 -- there is no other state
        """Take the weights that rank 0 has loaded."""
        self.settle()

    def besides(self) -> Any:
        """Letters, and what rank 0 keeps for all."""
        ours = [letter.whole for letter in self._letters]
        master = self._master
        return [*ours, *master.network.parameters(), *master.optimizer.state.values()] if master else ours

    @property
    def sent_bytes(self) -> int:
        """What rank 0 has answered."""
        return self._master.sent_bytes if self._master else 0

    @property
    def metrics(self) -> dict[str, float]:
        """How late gradients were, by now, as rank 0 knows."""
        late = self._master.late if self._master else None
        return {"staleness_mean": late.mean, "staleness_max": late.most} if late else {}

    @property
    def histograms(self) -> dict[str, Sequence[int]]:
        """The same in full: gradients that were 0, 1, 2, ... updates late."""
        return {"staleness": self._master.late.counts} if self._master else {}

    def close(self) -> None:
        """Stop serving."""
        if self._master:
            self._master.close()
        elif self._mesh:
            self._letters[0].write(Letter.END, (0, 0, 0))
            torch.distributed.send(self._letters[0].whole, 0, self._group)

    def _pull(self, turn: int, first: int, stop: int) -> int:
        """Get weights, and the number of the first batch."""
        self._letters[0].write(Letter.PULL, (turn, first, stop))
        return self._exchange()

    def _push(self, rates: list[float]) -> None:
        """Hand over gradients, if there are any, for weights and the number of the next batch."""
        gradients = [parameter.grad for parameter in self._parameters]
        if all(gradient is None for gradient in gradients):
            return
        letter = self._letters[0]
        for place, gradient in zip(letter.tensors, gradients, strict=True):
            place.zero_() if gradient is None else place.copy_(gradient)
        letter.write(Letter.PUSH, self._turns.turn, rates)
        self._turns.number = self._exchange()

    def _exchange(self) -> int:
        letter = self._letters[0]
        with self.waits.waiting():
            if self._master:
                self._master.answer(0, letter)
            else:
                torch.distributed.send(letter.whole, 0, self._group)
                torch.distributed.recv(letter.whole, 0, self._group)
        self._take(letter)
        return letter.number

    def _take(self, letter: Letter) -> None:
        with torch.no_grad():
            torch._foreach_copy_(self._parameters, letter.tensors)

    def _meet(self) -> None:
        if self._mesh:
            torch.distributed.barrier(self._mesh.get_group())


class _Turns:
    """Which batch of an epoch is this rank's next."""

    def __init__(self, pull: Callable[[int, int, int], int]) -> None:
        self.turn, self.number = (0, 0, 0), 0
        self._pull = pull

    def begin(self, step: int, steps: int) -> None:
        self.turn = (self.turn[0] + 1, step, steps)
        self.number = self._pull(*self.turn)

    def part(self, step: int, rows: int) -> tuple[int, int]:
        return 0, rows if step == self.number else 0


class _StandIn(Optimizer):
    """An optimizer to Lightning and the schedule; its step hands gradients over."""

    def __init__(self, groups: list[dict[str, Any]], push: Callable[[list[float]], None]) -> None:
        super().__init__(groups, {})
        self._push = push

    def step(self, closure: Any = None) -> Any:
        with torch.enable_grad():
            loss = closure()
        self._push([group["lr"] for group in self.param_groups])
        return loss
