"""Ending a training whose validation loss gets no better."""

from typing import Any

from lightning.pytorch.callbacks import EarlyStopping

MISSED = 1e-6  # an improvement of the validation loss below this is none


class Patience(EarlyStopping):
    """Lightning's early stopping, but that one who goes on with a training may have another patience than it had."""

    def __init__(self, epochs: int) -> None:
        """Wait for so many epochs without a better validation loss."""
        super().__init__("validation_loss", min_delta=MISSED, patience=epochs)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back all but the patience."""
        super().load_state_dict(state_dict | {"patience": self.patience})
