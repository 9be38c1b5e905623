"""What can be said of checkpoints without reading them: which are complete, and what training they fit.

identity.json    what the checkpoints fit: the network, the feature set, the batches
step-000000840   a checkpoint after so many steps, see `models.shards`
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from conf.errors import FranklinError
from conf.networks import AnyNetwork, Selected
from conf.schema import Settings

PARTIAL = ".partial"
IDENTITY = "identity.json"


def complete(folder: Path) -> list[Path]:
    """The complete checkpoints, the fewest steps first."""
    return sorted(path for path in folder.glob("step-*") if path.suffix != PARTIAL)


def identity(seed: int, batch_size: int, model: AnyNetwork) -> dict[str, Any]:
    """What has to be the same where a training goes on, beside the feature set, by the names that a person sets."""
    return {
        "seed": seed,
        "feed.batch_size": batch_size,
        **{f"model.{key}": value for key, value in model.model_dump().items()},
    }


def check_identity(folder: Path, here: Mapping[str, Any], otherwise: str) -> None:
    """Make sure that the checkpoints in `folder` fit what is `here`.

    Args:
        folder: of the checkpoints.
        here: what has to be the same.
        otherwise: what a person can do but set it back.

    Raises:
        FranklinError: they do not.

    """
    there = json.loads((folder / IDENTITY).read_text(encoding="utf-8"))
    for key, value in here.items():
        if there.get(key) != value:
            raise FranklinError(
                f"the checkpoints in {folder} are of another training: {key} was {there.get(key)}, now it is "
                f"{value}; set it back or {otherwise}"
            )


def check_resume(settings: Settings) -> None:
    """See that there is something to go on from, if that is wanted, and that it fits as far as is known by now.

    Raises:
        FranklinError: There is not, or it does not.

    """
    earlier = settings.resume
    if earlier is None:
        return
    if isinstance(settings.model, Selected):
        raise FranklinError("resume goes on with a network's training; model=selected is fitted anew: leave resume out")
    folder = earlier / "train" / "checkpoints"
    if not earlier.is_dir():
        raise FranklinError(f"resume={earlier}: there is no such folder; name a run's, as `logs` of its summary says")
    if not complete(folder):
        raise FranklinError(
            f"resume={earlier}: there is no checkpoint in {folder}; name the folder of a run that has trained, as "
            "`logs` of its summary says"
        )
    if settings.tuner.name == "none":  # else the network has yet to be chosen
        fits = identity(settings.seed, settings.feed.batch_size, settings.model)
        check_identity(folder, fits, "leave resume out")
