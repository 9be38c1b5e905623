"""Fixtures that several rooms' tests share."""

from tests.flows.fixtures import breast, few_flights, up

__all__ = ["breast", "few_flights", "up"]
