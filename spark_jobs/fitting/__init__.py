"""Candidates of a contest fitted in Spark: by MLlib, and XGBoost's own Spark estimators."""
