"""Tests of the contest's report."""
