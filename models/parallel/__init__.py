"""Strategies: one file each, found by the name that `strategy=` gives."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conf.strategies import AnyStrategy
    from models.parallel.parallelism import Parallelism


def load(settings: AnyStrategy, world_size: int) -> Parallelism[Any]:
    """Make the strategy that is configured; torch is imported only here."""
    found: Parallelism[Any] = importlib.import_module(f"models.parallel.{settings.name}").Strategy(settings, world_size)
    return found
