"""Writes on where a prompt ends, with a registered model of a text.

    python -m models.sample models:/text/1 --prompt "The " [--length 200] [--temperature 0.8] [--seed 1]

The model is looked for in franklin's home, or where MLFLOW_TRACKING_URI says.
"""

import argparse
import os
import sys
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from conf.compose import default_home
from conf.errors import FranklinError
from conf.manifest import Manifest
from models.serving.sequences import expected
from models.serving.tensors import encode_text


def sample(
    network: nn.Module, manifest: Manifest, prompt: str, *, length: int, temperature: float, seed: int
) -> Iterator[str]:
    """Draw one character after the other, each as probable as the network says after all before it.

    Args:
        network: as it was trained.
        manifest: of the feature set.
        prompt: what to begin with, at least a character.
        length: how many characters to draw.
        temperature: logits are divided by it before they are drawn from; 0: the likeliest is taken.
        seed: of the draws.

    """
    (column,) = manifest.tensors
    (tokens,), generator = encode_text([prompt], column), np.random.default_rng(seed)
    for _ in range(length):
        probabilities = expected(network, [tokens], column)[0][1:]  # characters that are one class are none to write
        if temperature:
            scaled = np.log(probabilities) / temperature
            weights = np.exp(scaled - scaled.max())
            token = 1 + int(generator.choice(len(weights), p=weights / weights.sum()))
        else:
            token = 1 + int(probabilities.argmax())
        tokens = torch.cat((tokens, torch.tensor([token])))
        yield column.vocabulary[token - 1]


def load(uri: str) -> tuple[nn.Module, Manifest]:
    """Load a registered model of a text.

    Raises:
        FranklinError: there is no such model, or it is of something else.

    """
    import mlflow  # takes more than a second to import
    from mlflow.exceptions import MlflowException

    from models.serving.model import TableModel

    if "MLFLOW_TRACKING_URI" not in os.environ:
        store = default_home() / "mlflow.db"
        if not store.exists():
            raise FranklinError(
                f"{store} is not there: run `franklin run text`, or set FRANKLIN_HOME to where it was run"
            )
        mlflow.set_tracking_uri(f"sqlite:///{store}")
    try:
        model = mlflow.pyfunc.load_model(uri).unwrap_python_model()
    except MlflowException as error:
        raise FranklinError(f"{uri} cannot be loaded: {str(error).splitlines()[0]}") from None
    if not isinstance(model, TableModel) or model.manifest.task != "sequence":
        raise FranklinError(f"{uri} is no model of a text; run `franklin run text` for one")
    return model.network, model.manifest


def main(arguments: list[str]) -> None:
    """Print the prompt and what comes after it, character by character.

    Raises:
        SystemExit: with one line, if it cannot.

    """
    parser = argparse.ArgumentParser(prog="python -m models.sample", description="Write on where a prompt ends.")
    parser.add_argument("model", metavar="MODEL_URI", help="such as models:/text/1 or models:/text@champion")
    parser.add_argument("--prompt", default="The ", help="what to begin with (default: %(default)r)")
    parser.add_argument("--length", type=int, default=200, help="characters to write (default: %(default)s)")
    parser.add_argument("--temperature", type=float, default=0.8, help="0: the likeliest (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="another one writes otherwise (default: %(default)s)")
    wanted = parser.parse_args(arguments)
    if not wanted.prompt or wanted.temperature < 0:
        parser.error("a prompt has at least one character, and a temperature is 0 or more")
    try:
        network, manifest = load(wanted.model)
    except FranklinError as error:
        raise SystemExit(f"franklin: {error}") from None
    sys.stdout.write(wanted.prompt)
    for character in sample(
        network,
        manifest,
        wanted.prompt,
        length=wanted.length,
        temperature=wanted.temperature,
        seed=wanted.seed,
    ):
        sys.stdout.write(character)
        sys.stdout.flush()
    sys.stdout.write("\n")


if __name__ == "__main__":
    main(sys.argv[1:])
