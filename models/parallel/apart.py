"""Random numbers between two layers that are split: each rank has activations of its own there, so dropout too."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Generator, Tensor, nn

from models.networks.parts import Split

STEP = 4  # of a GPU's generator, the least


def draw_apart(block: nn.Module, splits: Mapping[str, Split], rank: int) -> None:
    """Have a block in training draw numbers of its rank from the last of some `columns` to the `rows` after them.

    Elsewhere the ranks' activations are the same, and so are the numbers. What is drawn is a function of the
    generator's state before the block, so gradient checkpointing draws it again.
    """
    columns: nn.Module | None = None
    for name, how in splits.items():
        layer = block.get_submodule(name)
        if how == "columns":
            columns = layer
        elif how == "rows" and columns is not None:
            apart = _Apart(rank)
            columns.register_forward_hook(apart.enter)
            layer.register_forward_pre_hook(apart.leave)
            columns = None


class _Apart:
    def __init__(self, rank: int) -> None:
        self._rank = rank
        self._common: tuple[int, int] | Tensor = (0, 0)  # of the generator, behind what the ranks have drawn in common

    def enter(self, layer: nn.Module, _inputs: Any, output: Tensor) -> None:
        """Go to numbers of this rank."""
        if not layer.training:
            return
        generator = _generator(output.device)
        if output.is_cuda:  # a look at a number would have to wait for the GPU
            number = generator.get_offset()
            self._common = generator.initial_seed(), number + STEP
        else:
            number = int(torch.randint(2**62, (), generator=generator))
            self._common = generator.get_state()
        generator.manual_seed(hash((generator.initial_seed(), number, self._rank)) & (2**63 - 1))

    def leave(self, layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        """Go back to the common ones."""
        if not layer.training:
            return
        generator = _generator(inputs[0].device)
        if isinstance(self._common, Tensor):
            generator.set_state(self._common)
        else:
            seed, offset = self._common
            generator.manual_seed(seed).set_offset(offset)


def _generator(device: torch.device) -> Generator:
    return torch.cuda.default_generators[device.index] if device.type == "cuda" else torch.default_generator
