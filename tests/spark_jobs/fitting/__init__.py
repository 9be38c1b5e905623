"""Fits in Spark."""
