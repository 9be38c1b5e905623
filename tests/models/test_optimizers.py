"""The optimizer's schedules, and what they leave as it was."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from conf.training import Optimizer
from models.optimizers import Schedule, coslog, flat_cos, make

PLAIN: dict[str, Any] = {"name": "adamw", "learning_rate": 0.01, "weight_decay": 0.1, "warmup_share": 0.1}


def test_coslog_has_four_cycles_each_about_twice_as_long_as_the_one_before() -> None:
    ends = [(2**cycle - 1) / 15 for cycle in range(5)]
    assert [coslog(end) for end in ends] == pytest.approx([0, 0, 0, 0, 0], abs=1e-9)
    tops = [(2 ** (cycle + 0.5) - 1) / 15 for cycle in range(4)]
    assert [coslog(top) for top in tops] == pytest.approx([1, 1, 1, 1])
    assert coslog(0.2, cycles=1) == pytest.approx(0.5 * (1 - math.cos(2 * math.pi * math.log2(1.2))))


def test_flat_cos_is_flat_and_then_falls() -> None:
    shares = [flat_cos(share) for share in (0, 0.3, 0.5, 0.75, 1, 1.2)]
    assert shares == pytest.approx([1, 1, 1, 0.5, 0, 0], abs=1e-9)


def test_new_keys_leave_a_training_as_it_was() -> None:
    settings = Optimizer(**PLAIN)
    layer = nn.Linear(3, 2)
    (group,) = make(settings, layer.parameters()).param_groups
    assert (group["betas"], group["weight_decay"], group["lr"]) == ((0.9, 0.999), 0.1, 0.01)
    schedule = Schedule(settings, 20)
    cosine = [0.5 * (1 + math.cos(math.pi * (step - 2.0) / 18.0)) for step in range(2, 20)]
    assert [schedule(step) for step in range(20)] == [1 / 3, 2 / 3, *cosine]


def test_a_schedule_of_cycles_never_stands_still() -> None:
    schedule = Schedule(Optimizer(**PLAIN | {"schedule": "coslog4", "warmup_share": 0.0}), 100)
    factors = [schedule(step) for step in range(100)]
    assert all(0 < factor <= 1 for factor in factors)
    assert factors[40] == pytest.approx(coslog(0.405))


def test_matrices_alone_decay_and_less_so_at_the_end() -> None:
    settings = Optimizer(**PLAIN | {"decay_schedule": "flat_cos", "decays": "matrices"})
    layer = nn.Linear(3, 2)
    optimizer = make(settings, layer.parameters(), steps=4)
    decays = []
    for _ in range(4):
        before = layer.weight.detach().clone(), layer.bias.detach().clone()
        for parameter in layer.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        assert torch.equal(layer.bias, before[1])
        decays.append(float((1 - layer.weight / before[0]).mean().detach()) / 0.01)
    assert decays == pytest.approx([0.1, 0.1, 0.1, 0.05], rel=0.01)
    again = make(settings, layer.parameters(), steps=4)
    again.load_state_dict(optimizer.state_dict())
    for parameter in layer.parameters():
        parameter.grad = torch.zeros_like(parameter)
    again.step()
    assert again.param_groups[0]["weight_decay"] == 0  # it goes on where the other was
