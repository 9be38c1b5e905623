"""Ranks step alone, and every few steps their changes are averaged and taken by an outer optimizer.

Douillard et al. 2023, "DiLoCo: Distributed Low-Communication Training of Language Models", algorithm 1: the outer
optimizer is SGD with Nesterov momentum, and each rank keeps the state of its own inner one. With an outer learning rate
of 1 and no momentum, weights are averaged (Stich 2019, "Local SGD Converges Fast and Communicates Little").
"""

from typing import Any

import torch
from torch import Tensor
from torch.distributed import ProcessGroup
from torch.distributed.device_mesh import DeviceMesh
from torch.optim import Optimizer

from conf.exchange import Plan
from conf.strategies import LocalSgd
from models.networks.network import Network
from models.parallel.parallelism import Forward, Make, Parallelism
from models.parallel.plan import Sketch

OUTER = 2  # numbers that are kept for each parameter: where all began, and the momentum


class Strategy(Parallelism[LocalSgd]):
    """Data parallelism that talks seldom."""

    steps_alone = apart = True
    _group: ProcessGroup | None = None

    @property
    def period(self) -> int:
        """Ranks send something in one of so many steps."""
        return self.settings.every

    def plan(self, sketch: Sketch) -> Plan:
        """Predict what a step costs."""
        plan = super().plan(sketch)
        return plan.model_copy(update={"optimizer_bytes": plan.optimizer_bytes + OUTER * plan.parameters_bytes})

    def communicated(self, sketch: Sketch) -> int:
        """Average the changes in a ring, as `ddp` does gradients, in one of so many steps."""
        whole = 2 * (self.world_size - 1) * sum(sketch.sizes().values()) // self.world_size
        return whole // self.settings.every

    def wrap(self, network: Network, mesh: DeviceMesh | None) -> Forward:
        """Leave the network as it is."""
        self._group = mesh.get_group() if mesh else None
        return network

    def optimizer(self, network: Network, make: Make) -> Optimizer:
        """Make the inner optimizer, after whose steps ranks may come together; here they all are alike."""
        optimizer = super().optimizer(network, make)
        self._parameters: list[Tensor] = list(network.parameters())
        self._began = self._flat()
        self._momentum = torch.zeros_like(self._began)
        self._since = torch.zeros((), dtype=torch.int64)  # steps since ranks came together
        optimizer.register_step_post_hook(lambda *_: self._stepped())
        return optimizer

    def _stepped(self) -> None:
        self._since += 1
        if int(self._since) >= self.settings.every:
            self.settle()

    def settle(self) -> None:
        """Come together: all ranks hold the same weights after that."""
        if not int(self._since):
            return
        change = self._began - self._flat()
        if self._group is not None:
            torch.distributed.all_reduce(change, group=self._group)
        change /= self.world_size
        self._momentum.mul_(self.settings.outer_momentum).add_(change)
        change.add_(self._momentum, alpha=self.settings.outer_momentum)  # which is Nesterov's way
        self._began.sub_(change, alpha=self.settings.outer_learning_rate)
        self._begin()

    def _begin(self) -> None:
        """Begin where all are."""
        parts = torch.split(self._began, [parameter.numel() for parameter in self._parameters])
        views = [part.view_as(parameter) for part, parameter in zip(parts, self._parameters, strict=True)]
        with torch.no_grad():
            torch._foreach_copy_(self._parameters, views)
        self._since.zero_()

    def _flat(self) -> Tensor:
        return torch.cat([parameter.detach().flatten() for parameter in self._parameters])

    def state(self) -> dict[str, Any]:
        """What the outer optimizer has, the same on every rank."""
        return {"began": self._began, "momentum": self._momentum, "since": self._since}

    def resumed(self, *, found: bool) -> None:
        """Without a state, begin with the weights that the checkpoint has."""
        if not found:
            self._began.copy_(self._flat())
