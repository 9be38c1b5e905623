"""Gradient checkpointing: activations that are recomputed in the backward pass instead of kept.

none       all are kept
sqrt       of n blocks, the inputs of about sqrt(n) segments are kept, and one segment at a time is recomputed
(Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost", section 4.1)
every      the input of each block is kept
selective  in each block, what is expensive is kept (matrix products, convolutions, attention), the rest recomputed

The last segment's backward pass follows that of the head at once, so it is not recomputed: where blocks hold most of
the activations, that gains nothing. In a pipeline's stage other forward passes come between.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from math import isqrt
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts

from conf.training import Checkpointing
from models.networks.network import Network, State, apply, through

aten = torch.ops.aten
PRODUCTS = {aten.mm.default, aten.addmm.default, aten.bmm.default, aten.baddbmm.default}
EXPENSIVE = {
    aten.convolution.default,
    aten._scaled_dot_product_flash_attention.default,  # noqa: SLF001 -- operators that have no other name
    aten._scaled_dot_product_flash_attention_for_cpu.default,  # noqa: SLF001
    aten._scaled_dot_product_efficient_attention.default,  # noqa: SLF001
    aten._scaled_dot_product_cudnn_attention.default,  # noqa: SLF001
}


def checkpoint_blocks(network: Network, how: Checkpointing) -> None:
    """Have a network's blocks run with gradient checkpointing; nothing else of it changes."""
    if how != "none":
        network.run, network.run_stage = (partial(_run, how, stage=stage) for stage in (False, True))


def segments(blocks: Sequence[nn.Module], count: int) -> Iterator[Sequence[nn.Module]]:
    """Cut blocks into so many segments, none more than one block longer than another."""
    cuts = [number * len(blocks) // count for number in range(count + 1)]
    return (blocks[low:high] for low, high in pairwise(cuts))


def _run(how: Checkpointing, blocks: Iterable[nn.Module], state: State, *, stage: bool) -> State:
    listed = list(blocks)
    if not torch.is_grad_enabled() or not listed:
        return through(listed, state)
    count = max(1, isqrt(len(listed) - 1) + 1) if how == "sqrt" else len(listed)
    options: dict[str, Any] = {"context_fn": _keep_expensive} if how == "selective" else {}
    *others, last = segments(listed, count)
    with _casts_let_go():
        for segment in [*others, last] if stage else others:
            run: Callable[..., State] = partial(_through, segment)
            tensors = state if isinstance(state, tuple) else (state,)
            state = checkpoint(run, *tensors, use_reentrant=False, **options)
    return state if stage else through(last, state)


@contextmanager
def _casts_let_go() -> Iterator[None]:
    """Have autocast not keep weights in lower precision until the forward pass ends: they are cast again anyway."""
    before = torch.is_autocast_cache_enabled()
    torch.set_autocast_cache_enabled(False)
    try:
        yield
    finally:
        torch.set_autocast_cache_enabled(before)


def _through(blocks: Sequence[nn.Module], *state: torch.Tensor) -> State:
    return through(blocks[1:], apply(blocks[0], state))


def _keep_expensive() -> Any:
    """The contexts of one segment's forward pass and of its recomputation, which have to decide alike."""
    products = {False: 0, True: 0}

    def policy(context: Any, operator: Any, *_args: Any, **_kwargs: Any) -> CheckpointPolicy:
        if operator in PRODUCTS:
            products[context.is_recompute] += 1
        keep = operator in EXPENSIVE or (operator in PRODUCTS and products[context.is_recompute] % 2 == 1)
        return CheckpointPolicy.MUST_SAVE if keep else CheckpointPolicy.PREFER_RECOMPUTE

    return create_selective_checkpoint_contexts(policy)  # type: ignore[no-untyped-call]
