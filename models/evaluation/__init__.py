"""How good a model is: metrics with intervals, next to the trivial predictor's, and pictures."""
