"""Fixtures that several rooms' tests share."""

import os
import signal

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.flows.fixtures import breast, few_flights, up
from tests.flows.runs import runs

__all__ = ["breast", "few_flights", "runs", "up"]

# Ignored signals are inherited: SIGINT in a shell's background, SIGHUP under nohup. A handler is not.
signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)

# How long an example takes depends on what else runs on the machine: no test is timed.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# Java's quick compiler alone, without checking Spark's classes: tests have few rows, and are over before the other one
# is done. That compiler has little room by default, and dozens of jobs in one session fill it. A table of 569 rows was
# prepared in 27 s instead of 43 (two cores, beside other work); room: 101 processor-seconds of 33 tests, not 116.
JAVA = (
    "TieredStopAtLevel=1",
    "ReservedCodeCacheSize=256m",
    "+UnlockDiagnosticVMOptions",
    "-BytecodeVerificationRemote",
)
os.environ.setdefault("SPARK_SUBMIT_OPTS", " ".join(f"-XX:{option}" for option in JAVA))

# `make test` has two workers. What shares a Spark session, the servers or trained networks runs in one of them, so that
# there is one for all; of the rest, a file does.
SHARING = {"tests/spark_jobs": "spark", "tests/flows": "servers", "tests/test_readme.py": "servers"}
SHARING |= {"tests/models/serving": "networks", "tests/docker": "services"}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Deal the tests to workers."""

    class BySharing(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::", maxsplit=1)[0]
            return next((name for start, name in SHARING.items() if file.startswith(start)), file)

    return BySharing(config, log)
