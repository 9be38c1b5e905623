"""Feature set to batches."""
