"""Tests of what the benchmarks do when something fails; their numbers are no tests."""
