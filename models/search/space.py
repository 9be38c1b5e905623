"""What `tuner.space` says, in Optuna's terms."""

import json

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from conf.schema import Choices, Range

Value = int | float | str | list[int]


def distribution(values: Range | Choices) -> BaseDistribution:
    """Where Optuna draws from; each choice is its JSON text, because Optuna stores no lists."""
    if isinstance(values, Range):
        return FloatDistribution(values.low, values.high, log=values.log)
    return CategoricalDistribution(_texts(values))


def points(values: Range | Choices) -> list[float | str]:
    """Grid points as Optuna stores them: evenly spaced on the range's scale, both ends included, or each choice."""
    if isinstance(values, Choices):
        return list(_texts(values))
    if values.steps == 1:
        return [float(np.sqrt(values.low * values.high)) if values.log else (values.low + values.high) / 2]
    spaced = (np.geomspace if values.log else np.linspace)(values.low, values.high, values.steps)
    return [float(point) for point in np.clip(spaced, values.low, values.high)]


def decode(values: Range | Choices, stored: float | str) -> Value:
    """The configuration's value for what Optuna stored."""
    if isinstance(values, Choices):
        value: Value = json.loads(str(stored))
        return value
    return float(stored)


def _texts(values: Choices) -> list[str]:
    return list(dict.fromkeys(json.dumps(choice) for choice in values.choices))
