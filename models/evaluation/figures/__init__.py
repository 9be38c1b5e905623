"""Pictures of a test split: which ones a task has, and where they go."""

from pathlib import Path

from conf.exchange import Estimate
from conf.manifest import Manifest
from models.evaluation.figures import classes, confusion, regression, sequences
from models.evaluation.figures.page import Page
from models.evaluation.predictions import Predictions


def draw(
    test: Predictions, manifest: Manifest, metrics: dict[str, Estimate], baseline: dict[str, float], folder: Path
) -> None:
    """Draw what belongs to the task of `manifest`, as PNG files into `folder`."""
    page = Page(test, manifest, metrics, baseline)
    drawn = {"roc": classes.roc, "precision_recall": classes.precision_recall, "calibration": classes.calibration}
    if manifest.task == "multiclass":
        drawn["confusion"] = confusion.confusion
    if manifest.task == "regression":
        drawn = {
            "predicted_true": regression.predicted_true,
            "residuals": regression.residuals,
            "residuals_by_prediction": regression.residuals_by_prediction,
        }
    if manifest.task == "sequence":
        drawn = {"losses": sequences.losses}
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in drawn.items():
        picture(page).savefig(folder / f"{name}.png")
