"""`franklin sample`: a registered model of a text writes on."""

import os
from collections.abc import Iterator
from pathlib import Path

from conf.errors import FranklinError
from flows.server import local_store, variables


def written(prompt: str, model: str, home: Path, *, length: int, temperature: float, seed: int) -> Iterator[str]:
    """Give one character after the other of what follows a prompt.

    The model is looked for where MLFLOW_TRACKING_URI says, else in franklin's home.

    Raises:
        FranklinError: the prompt is empty, there is no such model, it is of something else, or it cannot go on from
            this prompt.

    """
    if not prompt:
        raise FranklinError("the prompt is empty; give at least one character to go on from")
    os.environ.update(variables(home))
    store = os.environ.get("MLFLOW_TRACKING_URI")
    if store is None and not (home / "mlflow.db").exists():
        raise FranklinError(f"{home} has no models: run `franklin run text`, or set FRANKLIN_HOME to where it was run")
    from models.serving.sampling import load, sample  # brings torch

    found = load(model, store or local_store(home))
    return sample(found.network, found.manifest, prompt, length=length, temperature=temperature, seed=seed)
