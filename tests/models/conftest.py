"""What tests of trainings share."""

from pathlib import Path

import pytest

from tests.feature_sets import write_feature_set


@pytest.fixture(scope="session")
def feature_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes; nobody changes it, but for the mapped files."""
    folder = tmp_path_factory.mktemp("binary")
    write_feature_set(folder, "binary")
    return folder
