"""What ranks do for the tests beside it: do they go on from the same checkpoint?

torchrun -m tests.models.agreeing CASE
"""

import sys
from pathlib import Path

import pytest
import torch

from models.checkpoints import check_agreed
from models.train import leave


def the_same_is_fine() -> None:
    for last in (None, Path("here/step-000000004")):
        check_agreed(last)


def another_one_ends_every_rank() -> None:
    last = Path("here/step-000000004") if torch.distributed.get_rank() == 0 else None
    with pytest.raises(RuntimeError, match=r"^rank 1 sees no checkpoint where rank 0 sees step-000000004: "):
        check_agreed(last)


if __name__ == "__main__":
    torch.distributed.init_process_group("gloo")
    for case in sys.argv[1:]:
        globals()[case]()
    torch.distributed.barrier()  # a peer's early exit would abort the others
    leave()
