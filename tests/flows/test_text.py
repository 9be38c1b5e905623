"""`franklin run text`: a text through Spark to a decoder, whose registered model `franklin sample` has write on."""

from pathlib import Path

import mlflow
import pandas as pd
import pytest

from tests.flows.command import complaint, franklin, summary
from tests.flows.fixtures import Up

pytestmark = [pytest.mark.e2e, pytest.mark.server]
SMALL = ["model.blocks=2", "model.width=32", "model.heads=2", "model.hidden=48", "trainer.max_epochs=2"]
WORDS = ("data.name=few_words", "data.columns.text.length=32", "optimizer.learning_rate=0.01", "strategy=pipeline")


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short text: every eighth topic of `help()`."""
    from pydoc_data.topics import topics

    file = tmp_path_factory.mktemp("words") / "words.txt"
    file.write_text("\n".join([*topics.values()][::8]), encoding="utf-8")
    return file


def test_a_text_is_learned_and_written_on(up: Up, words: Path) -> None:
    done = summary(franklin("run", "text", f"data.path={words}", *WORDS, *SMALL, "--json", home=up.home))
    found, trivial = done["metrics"]["test"], done["baseline"]["test"]
    assert found.keys() == {"log_loss", "bits_per_token", "perplexity", "accuracy"}
    assert found["log_loss"]["high"] < 0.9 * trivial["log_loss"]
    assert found["accuracy"]["low"] > trivial["accuracy"]
    assert up.client.download_artifacts(done["run_id"], "samples.txt")
    mlflow.set_tracking_uri(f"sqlite:///{up.home / 'mlflow.db'}")
    answer = mlflow.pyfunc.load_model(done["model_uri"]).predict(pd.DataFrame({"text": ["The ", "import"]}))
    assert answer["log_loss"].notna().all()
    wanted = ["sample", "The ", "--model", "models:/few_words@champion", "--length", "40"]
    first, again, other = (franklin(*wanted, "--seed", seed, home=up.home) for seed in (1, 1, 2))
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("The ")
    assert len(first.stdout) == len("The ") + 40 + 1
    assert first.stdout == again.stdout != other.stdout


def test_what_cannot_be_sampled_is_said_in_one_line(up: Up, tmp_path: Path) -> None:
    line = complaint(franklin("sample", "The ", home=tmp_path / "nowhere"))
    assert "has no models: run `franklin run text`" in line
    line = complaint(franklin("sample", "The ", "--model", "models:/none@champion", home=up.home))
    assert "models:/none@champion cannot be loaded" in line
    line = complaint(franklin("run", "text", f"data.path={tmp_path / 'no.txt'}", home=up.home))
    assert f"{tmp_path / 'no.txt'} does not exist" in line
