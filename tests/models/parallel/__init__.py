"""Tests of models/parallel."""
