"""What every network has in common: a stem, blocks in order, a head."""

from collections.abc import Callable, Iterable
from typing import cast

import torch
from torch import Tensor, nn

from conf.manifest import Manifest
from models.networks.parts import Embeddings, prior_logits

State = Tensor | tuple[Tensor, ...]
Run = Callable[[Iterable[nn.Module], State], State]


class Network(nn.Module):
    """A network for rows: `head(blocks(stem(inputs)))`.

    Its forward takes `(numeric (batch, n), categorical (batch, m), *tensors)`, as `models.feeds.batch.Batch.inputs`
    has them, and gives `(batch, outputs)`: one logit (binary), one standardised value (regression) or a logit per
    class (multiclass); of a sequence, `(batch, places, classes)` logits; of a network of several members, their
    `(batch, members, outputs)` (`models.networks.members`).

    Between stem, blocks and head goes a state, one tensor or several, whose first dimension is the batch.

    A block's class may have `splits`: which `nn.Linear`s of it can be split over ranks, by name and in order, and how
    (`models.parallel.tensor`). What lies between `columns` and `rows` then gets as much of the width as a rank has.

    Attributes:
        stem: inputs to the first state.
        blocks: the hidden blocks in order; what parallelism shards, checkpoints or cuts into stages.
        head: the last state to the outputs.
        run: how blocks are run; gradient checkpointing runs them otherwise.
        run_stage: how those of a stage are run, whose backward pass comes after other forward passes.

    """

    def __init__(self, stem: nn.Module, blocks: Iterable[nn.Module], head: nn.Module) -> None:
        """Put the parts together."""
        super().__init__()
        self.stem, self.blocks, self.head = stem, nn.ModuleList(blocks), head
        self.run: Run = through
        self.run_stage: Run = through

    def forward(self, *inputs: Tensor) -> Tensor:
        """Map a batch to its outputs."""
        return cast("Tensor", apply(self.head, self.run(self.blocks, self.stem(*inputs))))

    def multiplications(self) -> int:
        """Count the multiplications of a forward pass of one row: a parameter's, as often as it is used."""
        return _multiplications(self, 1)


def _multiplications(module: nn.Module, places: int) -> int:
    """Those of a module that is used at so many places, unless it says itself at how many."""
    places = getattr(module, "places", places)
    own = places * sum(parameter.numel() for parameter in module.parameters(recurse=False))
    return own + sum(_multiplications(child, places) for child in module.children())


def apply(module: nn.Module, state: State) -> State:
    """Run one module on a state."""
    changed: State = module(*state) if isinstance(state, tuple) else module(state)
    return changed


def through(blocks: Iterable[nn.Module], state: State) -> State:
    """Run blocks one after the other."""
    for block in blocks:
        state = apply(block, state)
    return state


class Scalars(nn.Module):
    """Numbers beside the embeddings of codes: `(batch, n)` and `(batch, m)` to `(batch, out_features)`."""

    def __init__(self, manifest: Manifest, widest: int) -> None:
        """Make the embeddings, at most so wide, of the categorical columns of `manifest`."""
        super().__init__()
        cardinalities = [column.cardinality for column in manifest.categorical]
        self.embeddings = Embeddings(cardinalities, widest) if cardinalities else None
        self.out_features = len(manifest.numeric) + (self.embeddings.out_features if self.embeddings else 0)

    def forward(self, numeric: Tensor, categorical: Tensor) -> Tensor:
        """Put them side by side."""
        return numeric if self.embeddings is None else torch.cat((numeric, self.embeddings(categorical)), dim=1)


class Flat(nn.Module):
    """Numbers, embedded codes and the numbers of tensors, laid side by side."""

    def __init__(self, manifest: Manifest, widest: int) -> None:
        """Make the embeddings, at most so wide."""
        super().__init__()
        self.scalars = Scalars(manifest, widest)
        self.out_features = self.scalars.out_features + sum(column.size for column in manifest.tensors)

    def forward(self, numeric: Tensor, categorical: Tensor, *tensors: Tensor) -> Tensor:
        """Map inputs to `(batch, out_features)`."""
        row: Tensor = self.scalars(numeric, categorical)
        return torch.cat((row, *(tensor.flatten(1) for tensor in tensors)), dim=1) if tensors else row


def head(width: int, manifest: Manifest) -> nn.Linear:
    """Make the last layer, `(batch, width)` to `(batch, outputs)`, which begins by saying the prior."""
    layer = nn.Linear(width, len(manifest.label.classes) if manifest.task in ("multiclass", "sequence") else 1)
    with torch.no_grad():
        layer.bias.copy_(prior_logits(manifest))
    return layer


def normalised_head(width: int, manifest: Manifest) -> nn.Sequential:
    """Make a head that begins with normalisation and ReLU, for blocks that add to a state."""
    return nn.Sequential(nn.LayerNorm(width), nn.ReLU(), head(width, manifest))
