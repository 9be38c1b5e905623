"""Tests of what is found without fitting a label."""
