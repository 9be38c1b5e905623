"""Fixtures that several rooms' tests share."""

import signal

import pytest

from tests.flows.fixtures import breast, few_flights, up

__all__ = ["breast", "few_flights", "up"]

# Ignored signals are inherited: SIGINT in a shell's background, SIGHUP under nohup. A handler is not.
signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)

SHARED = ("up", "spark", "services", "trained")  # fixtures that are made once in a test run, whatever its workers


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the marks in this very hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests that share something on one worker (pytest-xdist): a session, servers, or what their file makes."""
    for item in items:
        names = getattr(item, "fixturenames", ())
        group = next((fixture for fixture in SHARED if fixture in names), item.nodeid.partition("::")[0])
        item.add_marker(pytest.mark.xdist_group(group))
