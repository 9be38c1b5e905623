"""scikit-learn's models on disk without pickle, by skops, which makes the types alone that it is told to trust.

It imports all of scikit-learn, and with it torch, so it is not imported before it is used.
"""

from pathlib import Path
from typing import Any

FILE = "model.skops"
TRUSTED = [
    "functools.partial",  # of check_array, in what encodes categories
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.utils.validation.check_array",
]


def save(model: Any, folder: Path) -> None:
    """Write a fitted estimator."""
    from skops import io

    io.dump(model, folder / FILE)


def load(folder: Path) -> Any:
    """Read it; an estimator with other types in it than ours have is refused."""
    from skops import io

    return io.load(folder / FILE, trusted=TRUSTED)
