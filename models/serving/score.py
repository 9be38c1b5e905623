"""Score rows with a logged model: `python -P score.py MODEL_URI ROWS.parquet SCORES.parquet`.

A process of its own, run as a file: a logged model brings the code that it was logged with, which a process that
has imported today's would not load. So nothing of franklin is imported here.
"""

import sys

import mlflow.pyfunc
import pandas as pd


def main(uri: str, rows: str, scores: str) -> None:
    """Read rows, predict, write what the model returned."""
    answer = mlflow.pyfunc.load_model(uri).predict(pd.read_parquet(rows))
    answer.to_parquet(scores)


if __name__ == "__main__":
    main(*sys.argv[1:])
