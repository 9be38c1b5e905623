"""Writes on where a prompt ends, with a model of a text."""

from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import torch
from mlflow.exceptions import MlflowException
from torch import nn

from conf.columns import TensorColumn
from conf.errors import FranklinError
from conf.manifest import Manifest
from models.serving.model import TableModel
from models.serving.predict import Floats
from models.serving.sequences import expected
from models.serving.tensors import encode_text
from models.threads import one_thread

PROMPT, LENGTH = 64, 300  # characters of what is kept with a run
TEMPERATURES = (0.0, 0.5, 0.8, 1.0)
Chooser = Callable[[Floats], int]


def sample(
    network: nn.Module, manifest: Manifest, prompt: str, *, length: int, temperature: float, seed: int
) -> Iterator[str]:
    """Draw one character after the other, each as probable as the network says after all before it.

    OTHER is never drawn: characters that are one class are none to write.

    Args:
        network: as it was trained.
        manifest: of the feature set.
        prompt: what to begin with, not empty; if it is longer than a row of training, its end counts.
        length: how many characters to draw.
        temperature: at least 0; logits are divided by it before they are drawn from; 0: the likeliest is taken.
        seed: of the draws.

    Raises:
        FranklinError: the prompt has characters that the model does not know.

    """
    (column,) = manifest.tensors
    if strange := sorted({each for each in prompt if each not in column.vocabulary}):
        raise FranklinError(
            f"the prompt has {', '.join(map(repr, strange))}, which the model's text has not, or too seldom to learn; "
            "leave it out"
        )
    return (character for (character,) in _drawn(network, column, prompt, length, [_chooser(temperature, seed)]))


def _drawn(
    network: nn.Module, column: TensorColumn, prompt: str, length: int, choosers: Sequence[Chooser]
) -> Iterator[list[str]]:
    """Give the next character of each chooser, again and again; some at once cost little more than one."""
    rows = encode_text([prompt] * len(choosers), column)
    for _ in range(length):
        with one_thread():
            said = expected(network, rows, column)[:, 1:]
        places = [choose(probabilities) for choose, probabilities in zip(choosers, said, strict=True)]
        rows = [torch.cat((tokens, torch.tensor([1 + place]))) for tokens, place in zip(rows, places, strict=True)]
        yield [column.vocabulary[place] for place in places]


def _chooser(temperature: float, seed: int) -> Chooser:
    """What takes one of some places by their probabilities."""
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
    choosers = [_chooser(temperature, seed) for temperature in TEMPERATURES]
    parts = [f"The prompt, from a test row:\n\n{prompt}\n"]
    texts = map("".join, zip(*_drawn(network, column, prompt, LENGTH, choosers), strict=True))
    for temperature, drawn in zip(TEMPERATURES, texts, strict=True):
        parts.append(f"\n-------- temperature {temperature}, seed {seed}\n\n{prompt}{drawn}\n")
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
