"""`franklin run digits`: images from Spark through Petastorm to a convolutional network and a registered model."""

from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from tests.flows.command import franklin, summary
from tests.flows.fixtures import Up
from tests.flows.runs import DIGITS, Runs

pytestmark = [pytest.mark.e2e, pytest.mark.server]
SEEDS = range(1, 6)


@pytest.mark.soak
def test_images_go_through_arrow_in_one_process_too(up: Up) -> None:
    words = [*DIGITS, "feed=arrow", "strategy=single"]
    check_that_it_takes_images(up, summary(franklin("run", "digits", *words, "--json", home=up.home)))


@pytest.mark.runs("digits")
def test_the_registered_model_takes_images(up: Up, runs: Runs) -> None:
    done = summary(runs("digits"))
    assert done["world_size"] == 2
    check_that_it_takes_images(up, done)


def check_that_it_takes_images(up: Up, done: dict[str, Any]) -> None:
    assert sum(done["rows"].values()) == 1797
    assert done["metrics"]["test"]["accuracy"]["value"] > 0.9
    mlflow.set_tracking_uri(f"sqlite:///{up.home / 'mlflow.db'}")
    model = mlflow.pyfunc.load_model(done["model_uri"])
    digits = load_digits()
    nested, flat = digits.images.tolist(), digits.data.tolist()  # type: ignore[attr-defined]
    answers = [model.predict(pd.DataFrame({"image": images})) for images in (nested, flat)]
    pd.testing.assert_frame_equal(*answers)
    assert np.mean(answers[0]["prediction"].astype(int) == digits.target) > 0.9  # type: ignore[attr-defined]


@pytest.mark.soak
@pytest.mark.parametrize("seed", SEEDS)
def test_accuracy_on_the_digits(up: Up, seed: int) -> None:
    done = summary(franklin("run", "digits", f"seed={seed}", "--json", home=up.home))
    assert done["metrics"]["test"]["accuracy"]["value"] >= 0.98
