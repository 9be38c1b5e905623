"""Tuning: which configurations to try, and in which order. Optuna only; the flow imports it, so no torch here."""
