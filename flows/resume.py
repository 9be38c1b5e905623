"""Going on with the training of an earlier run, which was cancelled or killed."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conf.checkpoints import PARTIAL, complete
from flows.context import Context


@contextmanager
def goes_on(run: Context, folder: Path) -> Iterator[None]:
    """Begin with the checkpoints of the run to go on with; if the block fails, say how to go on with this one.

    Args:
        run: this one.
        folder: of its training.

    """
    earlier = run.settings.resume
    if earlier is not None and not folder.joinpath("checkpoints").exists():
        partial = folder / f"checkpoints{PARTIAL}"
        shutil.rmtree(partial, ignore_errors=True)  # of an attempt that was killed
        shutil.copytree(earlier / "train" / "checkpoints", partial, copy_function=_link)
        partial.rename(folder / "checkpoints")
    try:
        yield
    except BaseException:
        if complete(folder / "checkpoints"):
            run.display.say(f"  training has left a checkpoint; to go on with it, run with resume={run.folder}")
        raise


def _link(source: str, target: str) -> None:
    """Copy a file that nobody changes."""
    try:
        os.link(source, target)
    except OSError:  # on another disk
        shutil.copy2(source, target)
