"""`franklin doctor`: what this machine has, what it lacks, and how to mend that."""

import os
import platform
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

import psutil
from rich.console import Console

from conf.compose import default_home
from conf.errors import FranklinError
from flows.reach import check_reachable, is_server
from models.launching.allocator import PRELOAD, variables
from models.parallel.world import count_cores, count_gpus
from spark_jobs.java import java_home

PACKAGES = ("pyspark", "lightning", "torch", "mlflow", "petastorm", "prefect", "optuna", "pyarrow")
LEAST_PYTHON = (3, 11)
LEAST_MEMORY_BYTES = 4 * 2**30
LEAST_DISK_BYTES = 5 * 2**30


class Finding(NamedTuple):
    """One thing looked at; `mend` says what to do when it is not well."""

    what: str
    seen: str
    mend: str = ""


def examine() -> int:
    """Print every finding; 1 if something needs mending, else 0."""
    console = Console()
    findings = [finding for look in LOOKS for finding in look()]
    for finding in findings:
        sign = "[red]✗[/red]" if finding.mend else "[green]✓[/green]"
        console.print(f"{sign} {finding.what:<14} {finding.seen}", highlight=False, soft_wrap=True)
        if finding.mend:
            console.print(f"  {'':<14} {finding.mend}", highlight=False, soft_wrap=True)
    return int(any(finding.mend for finding in findings))


def _python() -> Iterator[Finding]:
    mend = "" if sys.version_info >= LEAST_PYTHON else "install Python 3.11 or later, then make demo PYTHON=python3.11"
    yield Finding("Python", platform.python_version(), mend)
    for name in PACKAGES:
        try:
            yield Finding(name, version(name))
        except PackageNotFoundError:
            yield Finding(name, "missing", "make setup installs every package of requirements.lock")


def _java() -> Iterator[Finding]:
    try:
        yield Finding("Java", str(java_home(default_home() / "java")))
    except FranklinError as error:
        yield Finding("Java", "missing", str(error))


def _machine() -> Iterator[Finding]:
    memory, cores, gpus = psutil.virtual_memory(), count_cores(), count_gpus()
    mend = "" if memory.available >= LEAST_MEMORY_BYTES else "Spark and two ranks want 4 GiB: end other programs"
    yield Finding("memory", f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB free", mend)
    yield Finding("allocator", _allocator())
    yield Finding("cores", str(cores))
    yield Finding("GPUs", str(gpus) if gpus else "none: training runs on the CPU")
    folder = next(parent for parent in [default_home(), *default_home().parents] if parent.exists())
    free = psutil.disk_usage(str(folder)).free
    mend = "" if free >= LEAST_DISK_BYTES else "free some room, or set FRANKLIN_HOME to a folder that has it"
    yield Finding("disk", f"{free / 2**30:.1f} GiB free for {default_home()}", mend)


def _allocator() -> str:
    """What ranks get their memory from; without tcmalloc, those that recompute take longer."""
    added = variables("sqrt")
    if chosen := os.environ.get(PRELOAD):
        return f"{PRELOAD}={chosen}, as you have set it"
    own = " ".join(platform.libc_ver()) or "the system's"
    return added.get(PRELOAD) or (f"{own}; checkpointing is quicker with libtcmalloc-minimal4" if added else own)


def _servers() -> Iterator[Finding]:
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        yield Finding("MLflow", f"the local store in {default_home()}")
    else:
        yield _reach("MLflow", uri, "MLFLOW_TRACKING_URI")
    api = os.environ.get("PREFECT_API_URL")
    if not api:
        yield Finding("Prefect", "a server of its own for each run (`franklin up` starts one that stays)")
    else:
        yield _reach("Prefect", api, "PREFECT_API_URL")


def _reach(name: str, uri: str, variable: str) -> Finding:
    if not is_server(uri):
        return Finding(name, uri)
    try:
        check_reachable(uri, name)
    except FranklinError:
        return Finding(name, f"{uri} does not answer", f"start it, or unset {variable}")
    return Finding(name, f"{uri} answers")


LOOKS: tuple[Callable[[], Iterator[Finding]], ...] = (_python, _java, _machine, _servers)
