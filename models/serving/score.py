"""Score rows with a logged model: `python -P score.py MODEL_URI ROWS SCORES`, two folders of Parquet files.

A process of its own, run as a file: a logged model brings the code that it was logged with, which a process that
has imported today's would not load. So nothing of franklin is imported here.
"""

import sys
from pathlib import Path

import mlflow.pyfunc
import pandas as pd


def main(uri: str, rows: str, scores: str) -> None:
    """Read rows, predict, write what the model returned, file by file."""
    model = mlflow.pyfunc.load_model(uri)
    Path(scores).mkdir()
    for part in sorted(Path(rows).iterdir()):
        model.predict(pd.read_parquet(part)).to_parquet(Path(scores) / part.name)


if __name__ == "__main__":
    main(*sys.argv[1:])
