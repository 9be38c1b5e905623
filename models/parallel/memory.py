"""Bytes of tensors that are alive while a step runs: of real tensors, or of fake ones that take no memory."""

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Alive(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the storages that operators make within it, until they are let go.

    Memory that was there before is not counted, nor is what a kernel needs for itself. Gradients of parameters are
    counted apart.

    Attributes:
        activations: bytes that are alive now.
        gradients: bytes of parameters' gradients.
        most: the largest number of `activations`.

    """

    def __init__(self) -> None:
        """Count from here on."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.activations = self.gradients = self.most = 0
        self._sizes: dict[weakref.ref[Any], int] = {}

    def __torch_dispatch__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operator, and count what it made."""
        before = {weakref.ref(storage) for storage in _storages((args, kwargs))}
        out = func(*args, **(kwargs or {}))
        for storage in _storages(out):
            self._add(storage, before)
        self.most = max(self.most, self.activations)
        return out

    def gradient(self, parameter: Tensor) -> None:
        """Count a parameter's gradient as that."""
        if parameter.grad is not None:
            storage = _local(parameter.grad).untyped_storage()
            size = self._sizes.pop(weakref.ref(storage), 0)
            self.activations -= size
            self.gradients += size

    def _add(self, storage: torch.UntypedStorage, before: set[weakref.ref[Any]]) -> None:
        reference = weakref.ref(storage, self._drop)
        if reference not in before and reference not in self._sizes:
            self._sizes[reference] = storage.nbytes()
            self.activations += storage.nbytes()

    def _drop(self, reference: Any) -> None:
        self.activations -= self._sizes.pop(reference, 0)

    def resized(self, storage: torch.UntypedStorage) -> None:
        """Count a storage anew that has changed its size, as shards do when a block is gathered and let go."""
        reference = weakref.ref(storage)
        if reference in self._sizes:
            self.activations += storage.nbytes() - self._sizes[reference]
            self._sizes[reference] = storage.nbytes()
            self.most = max(self.most, self.activations)


@contextmanager
def watched(network: nn.Module) -> Iterator[Alive]:
    """Count what steps of a network leave alive."""
    alive = Alive()
    hooks = [
        each.register_post_accumulate_grad_hook(alive.gradient)  # type: ignore[no-untyped-call]
        for each in network.parameters()
    ]
    resize: Callable[..., Any] = torch.UntypedStorage.resize_

    def resize_and_count(storage: torch.UntypedStorage, size: int) -> torch.UntypedStorage:
        resize(storage, size)
        alive.resized(storage)
        return storage

    torch.UntypedStorage.resize_ = resize_and_count  # type: ignore[method-assign, assignment]
    try:
        with alive:
            yield alive
    finally:
        torch.UntypedStorage.resize_ = resize  # type: ignore[method-assign]
        for hook in hooks:
            hook.remove()


def _storages(tree: Any) -> list[torch.UntypedStorage]:
    return [_local(leaf).untyped_storage() for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def _local(tensor: Tensor) -> Tensor:
    """What this rank holds of a tensor."""
    local: Tensor = tensor.to_local() if hasattr(tensor, "to_local") else tensor
    return local
