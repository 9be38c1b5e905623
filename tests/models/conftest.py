"""What tests of trainings share."""

from pathlib import Path

import pytest

from conf.exchange import TrainResult
from tests.feature_sets import write_feature_set
from tests.models import launch
from tests.models.launch import PLAIN


@pytest.fixture(scope="session")
def feature_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes; nobody changes it, but for the mapped files."""
    folder = tmp_path_factory.mktemp("binary")
    write_feature_set(folder, "binary")
    return folder


@pytest.fixture(scope="session")
def single(feature_set: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """What one process makes of it, to hold others against."""
    return launch.run(launch.request(feature_set, tmp_path_factory.mktemp("single"), **PLAIN))
