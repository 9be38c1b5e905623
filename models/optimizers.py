"""Optimizers and the schedule of their learning rate."""

import math
from collections.abc import Iterable

import torch
from torch import nn

from conf.schema import Optimizer


def make(settings: Optimizer, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Make AdamW (Loshchilov and Hutter 2019)."""
    return torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True)


class Schedule:
    """Linear warm-up, then cosine decay to 0 (Loshchilov and Hutter 2017), as a factor of the learning rate."""

    def __init__(self, settings: Optimizer, steps: int) -> None:
        """Go over so many steps."""
        self._warmup, self._steps = settings.warmup_share * steps, steps

    def __call__(self, step: int) -> float:
        """Give the factor at a step, counted from 0."""
        if step < self._warmup:
            return (step + 1) / (self._warmup + 1)
        return 0.5 * (1 + math.cos(math.pi * (step - self._warmup) / max(1.0, self._steps - self._warmup)))
