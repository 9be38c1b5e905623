"""Optimizers and the schedules of their learning rate and weight decay."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from conf.training import Optimizer

CYCLES = 4  # of coslog4
MATRIX = 2  # dimensions of the weights of linear layers and embeddings


def make(settings: Optimizer, parameters: Iterable[nn.Parameter], steps: int = 1) -> torch.optim.Optimizer:
    """Make AdamW (Loshchilov and Hutter 2019); `steps` are those of the whole training, for the weight decay."""
    decay = settings.weight_decay
    groups: Any = parameters
    if settings.decays == "matrices":
        kept = list(parameters)
        groups = [
            {"params": [each for each in kept if each.dim() == MATRIX]},
            {"params": [each for each in kept if each.dim() != MATRIX], "weight_decay": 0.0},
        ]
    first, second = settings.betas
    optimizer = torch.optim.AdamW(
        groups, lr=settings.learning_rate, betas=(first, second), weight_decay=decay, fused=True
    )
    if settings.decay_schedule == "flat_cos":
        _schedule_decay(optimizer, decay, steps)
    return optimizer


def _schedule_decay(optimizer: torch.optim.Optimizer, decay: float, steps: int) -> None:
    """Set the first group's weight decay before each step.

    How many there were, the optimizer's state says: it is right after a resume, and wherever steps are done.
    """

    def set_decay(*_: Any) -> None:
        done = next((int(state["step"]) for state in optimizer.state.values()), 0)
        optimizer.param_groups[0]["weight_decay"] = decay * flat_cos(done / steps)

    optimizer.register_step_pre_hook(set_decay)


def flat_cos(share: float) -> float:
    """1 through the first half, then a cosine down to 0 (Holzmueller et al. 2024, appendix A)."""
    return 0.5 * (1 + math.cos(math.pi * (max(1.0, 2 * min(1.0, share)) - 1)))


def coslog(share: float, cycles: int = CYCLES) -> float:
    """So many cycles from 0 up to 1 and back, each about twice as long as that before.

    Holzmueller et al. 2024, "Better by default", section 3: (1 - cos(2 pi log2(1 + (2^k - 1) t))) / 2.
    """
    return 0.5 * (1 - math.cos(2 * math.pi * math.log2(1 + (2**cycles - 1) * share)))


class Schedule:
    """Linear warm-up, then cosine decay to 0 (Loshchilov and Hutter 2017) or `coslog`, factors of the learning rate."""

    def __init__(self, settings: Optimizer, steps: int) -> None:
        """Go over so many steps."""
        self._warmup, self._steps, self._kind = settings.warmup_share * steps, steps, settings.schedule

    def __call__(self, step: int) -> float:
        """Give the factor at a step, counted from 0."""
        if step < self._warmup:
            return (step + 1) / (self._warmup + 1)
        if self._kind == "coslog4":
            return coslog((step + 0.5 - self._warmup) / max(1.0, self._steps - self._warmup))
        return 0.5 * (1 + math.cos(math.pi * (step - self._warmup) / max(1.0, self._steps - self._warmup)))
