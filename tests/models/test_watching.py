"""Where a rank stands that got no further: in work of its own, or waiting for others."""

import sys
import sysconfig
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from models import watching
from models.parallel.messages import Stage

TORCH = Path(sysconfig.get_path("purelib"), "torch")
SCHEDULE, ENGINE = TORCH / "distributed/pipelining/schedules.py", TORCH / "autograd/graph.py"
RELU = TORCH / "nn/functional.py"
STAGE = Path(watching.__file__).with_name("parallel") / "messages.py"
BLOCK = Path(watching.__file__).with_name("networks") / "mlp.py"


def place_in(files: Sequence[Path]) -> dict[str, Any]:
    """What is told of a call through functions of these files, each called by the one before."""
    found: dict[str, Any] = {}

    def inmost() -> None:
        frame: Any = sys._getframe(1)
        found.update(watching._place(frame))

    called: Callable[[], None] = inmost
    for file in reversed(files):
        names: dict[str, Any] = {"called": called}
        exec(compile("def call():\n    called()", str(file), "exec"), names)  # noqa: S102 -- frames of these files
        called = names["call"]
    called()
    return found


@pytest.mark.parametrize(
    ("files", "waits"),
    [
        ((SCHEDULE, STAGE), True),  # for a message
        ((BLOCK, SCHEDULE), True),  # in a schedule
        ((BLOCK, ENGINE), True),  # in a backward pass, in which gradients are averaged
        ((SCHEDULE, STAGE, RELU, BLOCK), False),  # a block's forward pass in a schedule
        ((ENGINE, BLOCK, RELU), False),  # a block that is recomputed
    ],
)
def test_who_waits_is_told_from_who_works(files: Sequence[Path], waits: bool) -> None:
    found = place_in(files)
    assert found["waits"] is waits
    assert files[-1].name in found["stack"]


def test_a_stage_works_in_its_backward_pass() -> None:
    found: dict[str, Any] = {}

    def inmost() -> None:
        frame: Any = sys._getframe(1)
        found.update(watching._place(frame))

    names: dict[str, Any] = {"called": inmost}
    exec(compile("def run():\n    called()", str(ENGINE), "exec"), names)  # noqa: S102 -- frames of these files
    exec(compile(f"def {watching.WORKS}():\n    run()", str(STAGE), "exec"), names)  # noqa: S102 -- the same
    names[watching.WORKS]()
    assert not found["waits"]
    assert watching.WORKS in vars(Stage)
