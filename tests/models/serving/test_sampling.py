"""Samples repeat with their seed, follow the network, and a prompt that it cannot go on from is refused in one line."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.data import Task
from conf.errors import FranklinError
from conf.manifest import Manifest
from models.networks.network import Network
from models.serving.predict import load_network
from models.serving.register import register
from models.serving.sampling import TEMPERATURES, load, sample, write_samples
from models.serving.sequences import expected
from models.serving.tensors import encode_tensor, encode_text
from tests.feature_sets import CHARACTERS, PLACES
from tests.models.trained import Trained


@pytest.fixture(scope="module")
def decoder(trained: dict[Task, Trained]) -> tuple[Network, Manifest]:
    one = trained["sequence"]
    return load_network(one.model, one.manifest, one.weights), one.manifest


def drawn(decoder: tuple[Network, Manifest], prompt: str = "the ", **changes: Any) -> str:
    wanted = {"length": 60, "temperature": 0.8, "seed": 1} | changes
    return "".join(sample(*decoder, prompt, **wanted))


def test_a_seed_repeats_and_another_one_writes_otherwise(decoder: tuple[Network, Manifest]) -> None:
    first = drawn(decoder)
    assert len(first) == 60
    assert set(first) <= {*CHARACTERS}
    assert drawn(decoder) == first
    assert drawn(decoder, seed=2) != first
    assert drawn(decoder, length=20) == first[:20]


def test_temperature_0_takes_the_likeliest_and_more_of_it_draws_more_widely(decoder: tuple[Network, Manifest]) -> None:
    network, manifest = decoder
    (column,) = manifest.tensors
    text = "the "
    for character in drawn(decoder, text, temperature=0.0, seed=5):  # also when the text is longer than a row
        likeliest = expected(network, encode_text([text], column), column)[0][1:].argmax()
        assert character == column.vocabulary[likeliest]
        text += character
    assert len(text) > PLACES
    assert drawn(decoder, temperature=0.0, seed=6) == text.removeprefix("the ")
    assert drawn(decoder, temperature=1e-3) == text.removeprefix("the ")
    wild = drawn(decoder, temperature=100.0, length=300)
    assert {wild.count(character) > 5 for character in CHARACTERS} == {True}


def test_characters_that_it_does_not_know_are_refused_at_once(decoder: tuple[Network, Manifest]) -> None:
    line = "the prompt has 'z', '§', which the model's text has not, or too seldom to learn"
    with pytest.raises(FranklinError, match=line) as error:
        sample(*decoder, "zoo §", length=60, temperature=0.8, seed=1)
    assert "\n" not in str(error.value)


def test_samples_of_a_run_have_each_temperature(decoder: tuple[Network, Manifest], tmp_path: Path) -> None:
    write_samples(*decoder, tmp_path / "samples.txt", 3)
    prompt, *parts = (tmp_path / "samples.txt").read_text(encoding="utf-8").split("\n--------")
    begun = prompt.split("\n\n", 1)[1].rstrip("\n")
    assert len(parts) == len(TEMPERATURES)
    assert all(f"seed 3\n\n{begun}" in part for part in parts)
    assert f"{begun}{drawn(decoder, begun, temperature=0.0, length=300)}\n" in parts[0] + "\n"


def test_only_a_model_of_a_text_is_loaded(trained: dict[Task, Trained], new_request: Any) -> None:
    request = new_request(trained["sequence"], "words")
    uri = register(request).model_uri
    assert load(uri, request.track.uri).manifest == trained["sequence"].manifest
    other = new_request(trained["binary"], "no_words")
    with pytest.raises(FranklinError, match="models:/no_words/1 is no model of a text; `franklin run text` makes"):
        load(f"models:/no_words/{register(other).version}", other.track.uri)
    with pytest.raises(FranklinError, match="models:/nothing@champion cannot be loaded"):
        load("models:/nothing@champion", request.track.uri)


@settings(max_examples=100)
@given(text=st.text(st.sampled_from(CHARACTERS) | st.characters(), min_size=1, max_size=PLACES + 1))
def test_texts_are_tokens_and_back_but_for_what_is_unknown(decoder: tuple[Network, Manifest], text: str) -> None:
    (column,), classes = decoder[1].tensors, decoder[1].label.classes
    (tokens,) = encode_text([text], column)
    assert tokens.dtype == torch.int64
    back = [classes[token] for token in tokens]
    assert back == [each if each in CHARACTERS else classes[0] for each in text]
    if len(text) <= PLACES:
        with pytest.raises(FranklinError, match=f"takes texts of {PLACES + 1} characters: row 0 has {len(text)}"):
            encode_tensor([text], column)  # type: ignore[arg-type]  # as good as a series
