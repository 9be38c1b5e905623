"""Bytes that a rank sends while a step runs, by the collectives that it takes part in."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributed import ProcessGroup
from torch.distributed.distributed_c10d import _resolve_process_group  # type: ignore[attr-defined]
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

# Collective -> bytes that a rank sends of `n` ranks, from the bytes of the larger of what goes in and what comes out.
# Rings (Patarasuk and Yuan 2009), as NCCL and gloo use them for what is large.
SENT: dict[str, Callable[[int, int], float]] = {
    "allreduce_": lambda size, n: 2 * size * (n - 1) / n,
    "_allgather_base_": lambda size, n: size * (n - 1) / n,
    "allgather_": lambda size, n: size * (n - 1) / n,
    "_reduce_scatter_base_": lambda size, n: size * (n - 1) / n,
    "reduce_scatter_": lambda size, n: size * (n - 1) / n,
    "alltoall_base_": lambda size, n: size * (n - 1) / n,
    "broadcast_": lambda size, n: size * (n - 1) / n,
    "send": lambda size, _: size,
}
# The same without a group's object, as DTensor calls them.
BY_NAME = {
    "all_reduce": "allreduce_",
    "all_gather_into_tensor": "allgather_",
    "reduce_scatter_tensor": "reduce_scatter_",
}


class Traffic(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up what this rank sends within it.

    Attributes:
        sent_bytes: by now.

    """

    def __init__(self) -> None:
        """Count from here on."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.sent_bytes = 0.0

    def __torch_dispatch__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operator, and count it if it is a collective."""
        if func.namespace == "c10d" and (sent := SENT.get(func.name().removeprefix("c10d::"))):
            leaves = tree_leaves((args, kwargs))
            size = max(_bytes(each) for each in (args[0], args[1] if len(args) > 1 else None))
            groups = [leaf for leaf in leaves if isinstance(leaf, torch.ScriptObject)]
            ranks = next(ProcessGroup.unbox(group).size() for group in groups if "ProcessGroup" in str(group._type()))  # noqa: SLF001
            self.sent_bytes += sent(size, ranks)
        out = func(*args, **(kwargs or {}))
        if func.namespace == "_c10d_functional" and (
            known := BY_NAME.get(func.name().removeprefix("_c10d_functional::"))
        ):
            ranks = _resolve_process_group(args[-1]).size()
            self.sent_bytes += SENT[known](max(_bytes(args[0]), _bytes(out)), ranks)
        return out


def _bytes(tree: Any) -> int:
    return sum(leaf.numel() * leaf.element_size() for leaf in tree_leaves(tree) if isinstance(leaf, Tensor))
