"""Fixtures that several rooms' tests share."""

import signal
from typing import Any

import pytest

from tests.flows.fixtures import breast, few_flights, up

__all__ = ["breast", "few_flights", "up"]

# Ignored signals are inherited: SIGINT in a shell's background, SIGHUP under nohup. A handler is not.
signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)

# Rooms whose tests share servers, a Spark session or the cores that they time: each on one worker of pytest-xdist.
TOGETHER = {"tests/flows": "flows", "tests/test_readme.py": "flows", "tests/docker": "flows"}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Have one worker do what shares the flow's servers, the other the rest, file by file when the first is done."""
    from xdist.scheduler import LoadScopeScheduling

    class Rooms(LoadScopeScheduling):  # type: ignore[misc]  # untyped
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return next((name for room, name in TOGETHER.items() if file.startswith(room)), file)

    return Rooms(config, log)
