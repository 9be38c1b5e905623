"""Where numbers stop being finite: in which rows, and in which part of the network."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.utils._pytree import tree_leaves

from conf.errors import FranklinError
from conf.manifest import Manifest
from models.feeds.batch import Batch
from models.networks.network import Network


class ElsewhereError(FranklinError):
    """This rank's rows are not what spoils the training, if another rank's are; it will say so."""


class Origin(NamedTuple):
    """What is not finite first, and whether that is rows, rather than what is done with them."""

    what: str
    rows: bool = False


def origin(network: Network, manifest: Manifest, batch: Batch, rerun: Callable[[], Tensor]) -> Origin | None:
    """Find what is not finite first when a batch goes forward: a column, the output of a part of the network, the loss.

    Args:
        network: what this rank has of it.
        manifest: of the feature set.
        batch: rows.
        rerun: gives their loss; every rank calls it if one does.

    Returns:
        None if all is finite, or came from another rank as it is.

    """
    outputs: list[Origin | None] = []  # that are not finite; None: of a part whose inputs are not either

    def look(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            if not finite(output):
                spoilt = "" if finite([*module.parameters()]) else ", whose weights are not finite"
                outputs.append(Origin(f"the output of {name}{spoilt}") if finite(inputs) else None)

        return hook

    handles = [module.register_forward_hook(look(name)) for name, module in parts(network)]
    try:
        with torch.no_grad():
            loss = rerun()
    finally:
        for handle in handles:
            handle.remove()
    if column := next(_columns(manifest, batch), None):
        return Origin(column, rows=True)
    if outputs:
        return outputs[0]
    return None if finite(loss) else Origin("the loss, of outputs that are finite")


def gradients(network: Network) -> str:
    """Say where gradients, which come from the loss, are first not finite; they are those of all ranks."""
    for name, part in reversed([*parts(network)]):
        if not finite([parameter.grad for parameter in part.parameters()]):
            return f"the gradients of {name}"
    return "the gradients of another rank's part of the network"


def parts(network: Network) -> Iterator[tuple[str, nn.Module]]:
    """What a network is made of, in the order in which rows go through it."""
    yield "the stem", network.stem
    for number, block in enumerate(network.blocks, 1):
        yield f"block {number} of {len(network.blocks)} ({type(block).__name__})", block
    yield "the head", network.head


def finite(tensors: Any) -> bool:
    """Whether all numbers in a tree of tensors are finite; of a tensor in shards, this rank's."""
    leaves = [leaf for leaf in tree_leaves(tensors) if isinstance(leaf, Tensor)]
    here = [leaf.to_local() if isinstance(leaf, DTensor) else leaf for leaf in leaves]
    return all(bool(leaf.detach().isfinite().all()) for leaf in here)


def _columns(manifest: Manifest, batch: Batch) -> Iterator[str]:
    for name, values in _named(manifest, batch):
        spoilt = int((~values.isfinite()).sum())
        if spoilt:
            yield f"column '{name}', in {spoilt} of {values.numel()} numbers"


def _named(manifest: Manifest, batch: Batch) -> Iterator[tuple[str, Tensor]]:
    """Each column of a batch, as the network sees it."""
    yield from zip(manifest.numeric, batch.numeric.unbind(1), strict=True)
    yield from zip((column.name for column in manifest.categorical), batch.categorical.unbind(1), strict=True)
    yield from zip((column.name for column in manifest.tensors), batch.tensors, strict=True)
    yield manifest.label.name, batch.label


def write_rows(manifest: Manifest, batch: Batch, path: Path) -> None:
    """Write a batch to a Parquet file, as the network sees it; tensors are laid flat."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {name: values.flatten(1) if values.dim() > 1 else values for name, values in _named(manifest, batch)}
    pq.write_table(pa.table({name: values.tolist() for name, values in columns.items()}), path)
