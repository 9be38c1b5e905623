"""Fixtures that several rooms' tests share."""

import signal

from tests.flows.fixtures import breast, few_flights, up
from tests.flows.runs import runs

__all__ = ["breast", "few_flights", "runs", "up"]

# Ignored signals are inherited: SIGINT in a shell's background, SIGHUP under nohup. A handler is not.
signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)
