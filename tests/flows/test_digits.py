"""`franklin run digits`: images from Spark through Petastorm to a convolutional network and a registered model."""

import mlflow
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from tests.flows.command import franklin, summary
from tests.flows.fixtures import Up

pytestmark = [pytest.mark.e2e, pytest.mark.server]
SEEDS = range(1, 6)
WAYS = [("petastorm", "ddp"), pytest.param("arrow", "single", marks=pytest.mark.soak)]


@pytest.mark.parametrize(("feed", "strategy"), WAYS)
def test_the_registered_model_takes_images(up: Up, feed: str, strategy: str) -> None:
    words = [f"feed={feed}", f"strategy={strategy}", "trainer.max_epochs=4", "optimizer.warmup_share=0.1"]
    done = summary(franklin("run", "digits", *words, "--json", home=up.home))
    assert sum(done["rows"].values()) == 1797
    assert done["world_size"] == (2 if strategy == "ddp" else 1)
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
