"""Fixtures that several rooms' tests share."""

import signal

from tests.flows.fixtures import breast, few_flights, up

__all__ = ["breast", "few_flights", "up"]

# In a shell's background it is ignored, and so it would be by all that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
