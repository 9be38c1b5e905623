"""Writes on where a prompt ends, with a model of a text."""

from collections.abc import Callable, Iterable, Iterator
from itertools import repeat, takewhile
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import torch
from mlflow.exceptions import MlflowException
from torch import Tensor, nn

from conf.columns import TensorColumn
from conf.errors import FranklinError
from conf.manifest import Manifest
from models.serving.model import TableModel
from models.serving.predict import Floats
from models.serving.sequences import expected
from models.serving.tensors import encode_text

PROMPT, LENGTH = 64, 400  # characters of what is kept with a run
TEMPERATURES = (0.0, 0.5, 0.8, 1.0)


def sample(
    network: nn.Module, manifest: Manifest, prompt: str, *, length: int, temperature: float, seed: int
) -> Iterator[str]:
    """Draw one character after the other, each as probable as the network says after all before it.

    OTHER is never drawn: characters that are one class are none to write.

    Args:
        network: as it was trained.
        manifest: of the feature set.
        prompt: what to begin with; if it is longer than a row of training, its end counts.
        length: how many characters to draw.
        temperature: logits are divided by it before they are drawn from; 0: the likeliest is taken.
        seed: of the draws.

    Raises:
        FranklinError: the prompt is empty or has characters that the model does not know, or a number is too small.

    """
    (column,) = manifest.tensors
    if not prompt:
        raise FranklinError("the prompt is empty; give at least one character to go on from")
    if strange := sorted({each for each in prompt if each not in column.vocabulary}):
        raise FranklinError(
            f"the prompt has {', '.join(map(repr, strange))}, which the model's text has not, or too seldom to learn; "
            "leave it out"
        )
    if temperature < 0 or length < 1:
        raise FranklinError(f"temperature={temperature}, length={length}: the one is at least 0, the other at least 1")
    (tokens,) = encode_text([prompt], column)
    return _drawn(network, column, tokens, repeat(_chooser(temperature, seed), length))


def _drawn(
    network: nn.Module, column: TensorColumn, tokens: Tensor, places: Iterable[Callable[[Floats], int]]
) -> Iterator[str]:
    for choose in places:
        place = choose(expected(network, [tokens], column)[0][1:])
        tokens = torch.cat((tokens, torch.tensor([1 + place])))
        yield column.vocabulary[place]


def _chooser(temperature: float, seed: int) -> Callable[[Floats], int]:
    """What takes a place of some, by their probabilities."""
    generator = np.random.default_rng(seed)

    def draw(probabilities: Floats) -> int:
        with np.errstate(divide="ignore"):  # of what is as good as impossible
            scaled = np.log(probabilities) / temperature
        weights = np.exp(scaled - scaled.max())
        return int(generator.choice(len(weights), p=weights / weights.sum()))

    return draw if temperature else lambda probabilities: int(probabilities.argmax())


def write_samples(network: nn.Module, manifest: Manifest, file: Path, seed: int) -> None:
    """Write how the network goes on from where a test row begins, at some temperatures."""
    (column,) = manifest.tensors
    text = str(manifest.example[0][column.name])
    prompt = "".join(takewhile(column.vocabulary.__contains__, text[:PROMPT])) or column.vocabulary[0]
    parts = [f"The prompt, from a test row:\n\n{prompt}\n"]
    for temperature in TEMPERATURES:
        drawn = sample(network, manifest, prompt, length=LENGTH, temperature=temperature, seed=seed)
        parts.append(f"\n-------- temperature {temperature}, seed {seed}\n\n{prompt}{''.join(drawn)}\n")
    file.write_text("".join(parts), encoding="utf-8")


def load(uri: str, tracking_uri: str) -> TableModel:
    """Load a registered model of a text.

    Raises:
        FranklinError: there is no such model, or it is of something else.

    """
    mlflow.set_tracking_uri(tracking_uri)
    try:
        model = mlflow.pyfunc.load_model(uri).unwrap_python_model()
    except MlflowException as error:
        raise FranklinError(
            f"{uri} cannot be loaded ({str(error).splitlines()[0]}); `franklin run text` makes models:/text@champion"
        ) from None
    if not isinstance(model, TableModel) or model.manifest.task != "sequence":
        raise FranklinError(f"{uri} is no model of a text; `franklin run text` makes models:/text@champion")
    return model
