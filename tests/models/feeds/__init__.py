"""Tests of models/feeds."""
