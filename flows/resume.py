"""Going on with the training of an earlier run, which was cancelled or killed."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conf.errors import FranklinError
from conf.schema import Settings
from flows.context import Context


def check_resume(settings: Settings) -> None:
    """See that there is something to go on from, if that is wanted.

    Raises:
        FranklinError: There is not.

    """
    earlier = settings.resume
    if earlier is not None and not _checkpoints(earlier / "train"):
        raise FranklinError(
            f"resume={earlier}: there is no checkpoint in {earlier / 'train' / 'checkpoints'}; name the folder of a "
            "run that has trained, as `logs` of its summary says"
        )


@contextmanager
def goes_on(run: Context, folder: Path) -> Iterator[None]:
    """Begin with the checkpoints of the run to go on with; if the block fails, say how to go on with this one.

    Args:
        run: this one.
        folder: of its training.

    """
    earlier = run.settings.resume
    if earlier is not None and not folder.joinpath("checkpoints").exists():
        partial = folder / "checkpoints.partial"
        shutil.rmtree(partial, ignore_errors=True)  # of an attempt that was killed
        shutil.copytree(earlier / "train" / "checkpoints", partial, copy_function=_link)
        partial.rename(folder / "checkpoints")
    try:
        yield
    except BaseException:
        if _checkpoints(folder):
            run.display.say(f"  training has left a checkpoint; to go on with it, run with resume={run.folder}")
        raise


def _checkpoints(folder: Path) -> list[Path]:
    return list(folder.glob("checkpoints/step-*[0-9]"))


def _link(source: str, target: str) -> None:
    """Copy a file that nobody changes."""
    try:
        os.link(source, target)
    except OSError:  # on another disk
        shutil.copy2(source, target)
