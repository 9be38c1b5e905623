"""What ranks do for the tests beside it: do they go on from the same checkpoint?

torchrun -m tests.models.together CASE=FOLDER ...
"""

import shutil
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from conf.errors import FranklinError
from models.checkpoints import together
from models.train import leave

LATE_SECONDS = 1.5


def none_is_none(folder: str) -> None:
    assert together(Path(folder) / "checkpoints", None) is None


def what_a_machine_does_not_see_yet_is_waited_for(folder: str) -> None:
    """Rank 1 has the folder's files under another path, and late."""
    rank = torch.distributed.get_rank()
    seen = Path(folder) / (f"late-{rank}" if rank else "checkpoints")
    newest = max((Path(folder) / "checkpoints").glob("step-*"))
    if rank:
        seen.mkdir()
        threading.Timer(LATE_SECONDS, shutil.copytree, (newest, seen / newest.name)).start()
    began = time.monotonic()
    assert together(seen, None if rank else newest) == seen / newest.name
    assert not rank or time.monotonic() - began >= LATE_SECONDS


def what_a_machine_never_sees_is_told(folder: str) -> None:
    rank = torch.distributed.get_rank()
    newest = max((Path(folder) / "checkpoints").glob("step-*"))
    if rank:
        nowhere = Path(folder) / "nowhere"
        with pytest.raises(
            FranklinError, match=r"^rank \d on .* cannot read .*nowhere/step-\d+, from which rank 0 goes"
        ):
            together(nowhere, None, seconds=1)
    else:
        assert together(newest.parent, newest) == newest


if __name__ == "__main__":
    torch.distributed.init_process_group("gloo")
    for argument in sys.argv[1:]:
        case, _, where = argument.partition("=")
        globals()[case](where)
    torch.distributed.barrier()  # a peer's early exit would abort the others
    leave()
