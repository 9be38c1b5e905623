"""Strategies: one file each, found by the name that `strategy=` gives."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from lightning.pytorch.strategies import Strategy
    from torch import nn
    from torch.distributed.device_mesh import DeviceMesh

    from conf.schema import StrategyName


class Parallelism(Protocol):
    """What a file of this folder defines."""

    def strategy(self, world_size: int, backend: str) -> Strategy:
        """Make Lightning's strategy for `world_size` ranks that talk over `backend` (`gloo` or `nccl`)."""

    def wrap(self, network: nn.Module, mesh: DeviceMesh | None) -> None:
        """Prepare `network` in place, block by block if need be; `mesh` is the strategy's device mesh, if any."""


def load(name: StrategyName) -> Parallelism:
    """Find the strategy called `name`; torch and Lightning are imported only here."""
    return cast("Parallelism", importlib.import_module(f"models.parallel.{name}"))
