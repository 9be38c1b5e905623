"""Networks trained once, a tracking database made once, and requests that use them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts

from conf.data import Task
from conf.exchange import RegisterRequest, Track
from conf.networks import AnyNetwork
from conf.splits import HashSplit
from models.serving.package import log
from tests.models.networks.cases import SMALL, SMALL_DECODER
from tests.models.trained import MODEL, Trained, train
from tests.stores import new_store

MODELS: dict[Task, AnyNetwork] = {
    "binary": MODEL,
    "multiclass": SMALL["tabm"],
    "regression": SMALL["ft_transformer"],
    "sequence": SMALL_DECODER,
}


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[Task, Trained]:
    """One trained network for each task."""
    return {task: train(tmp_path_factory.mktemp(task), task, model=model) for task, model in MODELS.items()}


@pytest.fixture(scope="session")
def new_track(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Track]:
    """Open a new run in a database of its own, as the flow does."""
    folder = tmp_path_factory.mktemp("tracking")
    uri = new_store(folder)
    client = MlflowClient(uri)
    experiment = client.create_experiment("serving", artifact_location=str(folder / "artifacts"))
    return lambda: Track(uri=uri, run_id=client.create_run(experiment).info.run_id)


@pytest.fixture(scope="session")
def new_request(
    new_track: Callable[[], Track], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Trained, str], RegisterRequest]:
    """Ask for a network to be registered under a name, in a new run."""

    def make(trained: Trained, name: str) -> RegisterRequest:
        folder = tmp_path_factory.mktemp("register")
        return RegisterRequest(
            answer=folder / "register.json",
            feature_set=str(trained.feature_set),
            weights=trained.weights,
            model=trained.model,
            name=name,
            split=HashSplit(by="hash", validation=0.2, test=0.2),
            promotion="enabled",
            seed=1,
            bootstrap=100,
            run_folder=folder,
            track=new_track(),
        )

    return make


@pytest.fixture(scope="session")
def logged(
    trained: dict[Task, Trained],
    new_request: Callable[[Trained, str], RegisterRequest],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[Task, Path]:
    """The logged models' folders, as downloaded."""
    found = {}
    for task, one in trained.items():
        info = log(new_request(one, task), one.manifest, tmp_path_factory.mktemp("log"))
        found[task] = Path(download_artifacts(info.model_uri, dst_path=str(tmp_path_factory.mktemp(f"logged_{task}"))))
    return found
