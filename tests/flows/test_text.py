"""`franklin run text`: a text through Spark to a decoder, whose registered model `franklin sample` has write on."""

from pathlib import Path

import mlflow
import pandas as pd
import pytest

from tests.flows.command import complaint, franklin, summary
from tests.flows.fixtures import Up

pytestmark = [pytest.mark.e2e, pytest.mark.server]
SMALL = ["model.blocks=2", "model.width=32", "model.heads=2", "model.hidden=48"]
QUICK = ["trainer.max_epochs=3", "feed.batch_size=32", "optimizer.learning_rate=0.01"]


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short text: every eighth topic of `help()`."""
    from pydoc_data.topics import topics

    file = tmp_path_factory.mktemp("words") / "words.txt"
    file.write_text("\n".join([*topics.values()][::8]), encoding="utf-8")
    return file


@pytest.mark.soak
def test_a_text_is_learned_and_written_on(up: Up, words: Path) -> None:
    kind = "data.columns.text={kind: text, length: 32}"
    done = summary(franklin("run", "text", f"data.path={words}", kind, *SMALL, *QUICK, "--json", home=up.home))
    found, trivial = done["metrics"]["test"], done["baseline"]["test"]
    assert found.keys() == {"log_loss", "bits_per_token", "perplexity", "accuracy"}
    assert found["log_loss"]["high"] < 0.9 * trivial["log_loss"]
    assert found["accuracy"]["low"] > trivial["accuracy"]
    assert up.client.download_artifacts(done["run_id"], "samples.txt")
    mlflow.set_tracking_uri(f"sqlite:///{up.home / 'mlflow.db'}")
    answer = mlflow.pyfunc.load_model(done["model_uri"]).predict(pd.DataFrame({"text": ["The ", "import"]}))
    assert answer["log_loss"].notna().all()
    written = franklin("sample", "The ", "--model", done["model_uri"], "--length", 40, "--seed", 2, home=up.home)
    assert written.returncode == 0, written.stderr
    assert written.stdout.startswith("The ")
    assert len(written.stdout) == len("The ") + 40 + len("\n")


def test_what_cannot_be_sampled_is_said_in_one_line(up: Up, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)  # which MLflow sets for its own
    line = complaint(franklin("sample", "The ", home=tmp_path))
    assert f"{tmp_path} has no models: run `franklin run text`" in line
    assert "the prompt is empty" in complaint(franklin("sample", "", home=tmp_path))
    for option, value in (("--length", "0"), ("--temperature", "-1")):
        refused = franklin("sample", "The ", option, value, home=tmp_path)
        assert refused.returncode == 2
        assert f"Invalid value for '{option}'" in refused.stderr
    line = complaint(franklin("sample", "The ", "--model", "models:/none@champion", home=up.home))
    assert "models:/none@champion cannot be loaded" in line
