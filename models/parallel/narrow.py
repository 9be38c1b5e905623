"""Split layers as one rank sees them, for plans: without other ranks, and on fake tensors."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from models.networks.network import Network
from models.networks.parts import Split
from models.parallel.plan import tensor_bytes


class Narrow(nn.Module):
    """A rank's share of a layer.

    Attributes:
        sent_bytes: what the rank has sent to the others by now, in rings.

    """

    def __init__(self, layer: nn.Linear, how: Split, size: int) -> None:
        """Make the share of one of `size` ranks."""
        super().__init__()
        columns, rows = layer.out_features // size, layer.in_features // size
        biased = layer.bias is not None
        self._how, self._size, self.sent_bytes = how, size, 0
        self.share = (
            nn.Linear(rows, layer.out_features, bias=biased)
            if how == "rows"
            else nn.Linear(layer.in_features, columns, bias=biased)
        )

    def forward(self, state: Tensor) -> Tensor:
        """Do what the rank does, with its own outputs for those of others."""
        if state.requires_grad and self._how != "rows":  # the ranks' gradients are added up
            state = state.view_as(state)
            state.register_hook(lambda gradient: self._send(gradient, 2))  # type: ignore[no-untyped-call]
        output: Tensor = self.share(state)
        if self._how == "gathered":
            output = torch.cat([output] * self._size, dim=-1)
            self._send(output, 1)
        elif self._how == "rows":
            self._send(output, 2)
        return output

    def _send(self, tensor: Tensor, rounds: int) -> None:
        self.sent_bytes += rounds * (self._size - 1) * tensor_bytes(tensor) // self._size


def splits(block: nn.Module) -> Iterator[tuple[str, nn.Linear, Split]]:
    """The layers of a block that can be split, by name, as its class says."""
    for name, how in getattr(block, "splits", {}).items():
        layer = block.get_submodule(name)
        if not isinstance(layer, nn.Linear):
            raise TypeError(f"{type(block).__name__}.splits names {name}, which is no nn.Linear")
        yield name, layer, how


def narrow(network: Network, size: int) -> list[Narrow]:
    """Put the shares of one rank of `size` in the place of layers that can be split, and give them."""
    shares = []
    for block in network.blocks:
        for name, layer, how in list(splits(block)):
            shares.append(Narrow(layer, how, size))
            block.set_submodule(name, shares[-1])
    return shares
