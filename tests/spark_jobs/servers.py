"""Spark's own servers as child processes: a master with workers, and a Connect server."""

import os
import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pyspark

from spark_jobs.java import java_home

HOME = Path(pyspark.__file__).parent
MASTER = "org.apache.spark.deploy.master.Master"
WORKER = "org.apache.spark.deploy.worker.Worker"
CONNECT = "org.apache.spark.sql.connect.service.SparkConnectServer"
READY_SECONDS = 120
# JVMs that live for some seconds: the quick compiler is enough.
BRIEF = {"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1"}


class Servers:
    """Servers of one test, on ports that were free; their logs and scratch files are in `folder`."""

    def __init__(self, folder: Path) -> None:
        """Start none yet."""
        self.folder = folder
        self.processes: list[psutil.Popen] = []
        java = {"JAVA_HOME": str(java_home(folder / "java")), "SPARK_DAEMON_MEMORY": "1g", **BRIEF}
        self._environment = os.environ | java

    def master(self) -> str:
        """Start a master; returns its address."""
        command = [HOME / "bin" / "spark-class", MASTER, "--host", "127.0.0.1", "--port", "0", "--webui-port", "0"]
        return self._started("master", command, r"Starting Spark master at (spark://\S+)")

    def worker(self, master: str, name: str, before: Sequence[object] = ()) -> psutil.Popen:
        """Start a worker with one core, run by the command `before` if there is one."""
        own = self.folder / name
        own.mkdir()
        command = [*before, HOME / "bin" / "spark-class", WORKER, master, "--host", "127.0.0.1", "--webui-port", "0"]
        options = ["--cores", "1", "--memory", "1g", "--work-dir", own]
        return self._start(name, [*command, *options], SPARK_LOCAL_DIRS=str(own))

    def connect(self) -> str:
        """Start a Connect server that runs tasks itself; returns its address."""
        conf = {
            "spark.master": "local[2]",
            "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.connect.grpc.binding.port": "0",
            "spark.ui.enabled": "false",
            "spark.local.dir": str(self.folder),
            "spark.sql.warehouse.dir": str(self.folder / "warehouse"),
            # Not franklin's own ideas, so that the job has to bring them.
            "spark.sql.session.timeZone": "Asia/Tokyo",
            "spark.sql.ansi.enabled": "false",
        }
        options = [word for key, value in conf.items() for word in ("--conf", f"{key}={value}")]
        command = [HOME / "bin" / "spark-submit", *options, "--class", CONNECT, "spark-internal"]
        return "sc://" + self._started("connect", command, r"Spark Connect server started at: (\S+)")

    def said(self, name: str) -> str:
        """Return what a server has logged."""
        return (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def end(self) -> None:
        """Kill every server and all that it started."""
        for process in self.processes:
            kill(process)

    def _start(self, name: str, command: Sequence[object], **environment: str) -> psutil.Popen:
        with (self.folder / f"{name}.log").open("wb") as log:
            process = psutil.Popen(
                [str(word) for word in command],
                cwd=self.folder,
                env=self._environment | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.processes.append(process)
        return process

    def _started(self, name: str, command: Sequence[object], sign: str) -> str:
        """Start a server, wait until it logs its sign, and return the address in that."""
        process = self._start(name, command)
        deadline = time.monotonic() + READY_SECONDS
        while (found := re.search(sign, self.said(name))) is None:
            assert process.poll() is None, self.said(name)
            assert time.monotonic() < deadline, self.said(name)
            time.sleep(0.1)
        return str(found[1])


def kill(process: psutil.Popen) -> None:
    """Kill a process and its children at once, as a power cut would."""
    if process.poll() is None:
        for each in [*process.children(recursive=True), process]:
            each.kill()
        process.wait()
