"""Tests of the contest's candidates and of what is made of them."""
