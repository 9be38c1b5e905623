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
    class (multiclass).

    Between stem, blocks and head goes a state, one tensor or several, whose first dimension is the batch.

    A block's class may have `splits`: which `nn.Linear`s of it can be split over ranks, by name and in order, and how
    (`models.parallel.tensor`). What lies between `columns` and `rows` then gets as much of the width as a rank has.

    Attributes:
        stem: inputs to the first state.
        blocks: the hidden blocks in order; what parallelism shards, checkpoints or cuts into stages.
        head: the last state to the outputs.
        run: how blocks are run; gradient checkpointing runs them otherwise.

    """

    def __init__(self, stem: nn.Module, blocks: Iterable[nn.Module], head: nn.Module) -> None:
        """Put the parts together."""
        super().__init__()
        self.stem, self.blocks, self.head = stem, nn.ModuleList(blocks), head
        self.run: Run = through

    def forward(self, *inputs: Tensor) -> Tensor:
        """Map a batch to `(batch, outputs)`."""
        return cast("Tensor", apply(self.head, self.run(self.blocks, self.stem(*inputs))))

    def multiplications(self) -> int:
        """Count the multiplications of a forward pass of one row: a parameter's, as often as it is used."""
        return sum(
            parameter.numel() * getattr(module, "places", 1)
            for module in self.modules()
            for parameter in module.parameters(recurse=False)
        )


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


def head(width: int, manifest: Manifest) -> nn.Linear:
    """Make the last layer, `(batch, width)` to `(batch, outputs)`, which begins by saying the prior."""
    layer = nn.Linear(width, len(manifest.label.classes) if manifest.task == "multiclass" else 1)
    with torch.no_grad():
        layer.bias.copy_(prior_logits(manifest))
    return layer
