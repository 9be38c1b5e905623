"""Anything with fit and predict, judged by the same rows, metrics, clocks and memory meters."""
