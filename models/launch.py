"""Launching a training on this machine, the first or only one: `python -m models.launch REQUEST.json`.

With the variable AGENT, which has the number of its parent process, it ends with that, and so do all ranks.
"""

import os
import signal
import sys
from pathlib import Path

from torch.distributed.elastic.multiprocessing import SignalException

from conf.errors import FranklinError
from conf.exchange import AGENT, TrainRequest, answer
from models.launching.agent import run_ranks, torchrun
from models.launching.meeting import ALONE, open_meeting
from models.launching.parent import die_with_parent


def launch(request: TrainRequest, path: Path) -> None:
    """Run all ranks to the end of the training; rank 0 writes the answer.

    Raises:
        FranklinError: they failed.

    """
    request.answer.unlink(missing_ok=True)
    launcher = torchrun(request)
    meeting = open_meeting(launcher, path)
    own = (launcher.address or ALONE).rpartition(":")[0]
    run_ranks(request, path, meeting, own, first=True)


def main() -> None:
    """Launch what the command line names; what went wrong is the answer."""
    if AGENT in os.environ:
        die_with_parent()
    path = Path(sys.argv[1])
    request = TrainRequest.model_validate_json(path.read_text(encoding="utf-8"))
    try:
        launch(request, path)
    except FranklinError as error:
        answer(request.answer, {"error": str(error)})
        sys.exit(1)
    except SignalException as asked:
        sys.exit(128 + signal.Signals(asked.sigval))


if __name__ == "__main__":
    main()
