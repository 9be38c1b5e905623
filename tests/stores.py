"""MLflow stores without runs: making one takes seconds of migrations, so each process of tests makes it once."""

import tempfile
from functools import cache
from pathlib import Path

from mlflow import MlflowClient

NAME = "mlflow.db"


@cache
def _empty() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / NAME
        MlflowClient(f"sqlite:///{store}").search_experiments()
        return store.read_bytes()


def new_store(folder: Path) -> str:
    """Put one into a folder; its URI."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NAME).write_bytes(_empty())
    return f"sqlite:///{folder / NAME}"
