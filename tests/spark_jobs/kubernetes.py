"""As much of Kubernetes as Spark's driver talks to: an API that runs each pod's executor as a process."""

import json
import os
import subprocess
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from tests.spark_jobs.servers import BRIEF, HOME

BACKEND = "org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend"
# What the entry point of Spark's image makes of a pod's variables.
ARGUMENTS = {
    "--driver-url": "SPARK_DRIVER_URL",
    "--executor-id": "SPARK_EXECUTOR_ID",
    "--cores": "SPARK_EXECUTOR_CORES",
    "--app-id": "SPARK_APPLICATION_ID",
    "--resourceProfileId": "SPARK_RESOURCE_PROFILE_ID",
}


class Kubernetes:
    """An API server with the pods that were asked of it. It has no watches: Spark has to ask for the list."""

    def __init__(self, folder: Path, java: Path) -> None:
        """Answer on a free port; the executors' logs and scratch files go to `folder`."""
        self.folder, self.java = folder, java
        self.pods: list[dict[str, Any]] = []
        self.processes: list[subprocess.Popen[bytes]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Api", (_Api,), {"cluster": self}))
        self.master = f"k8s://http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def run(self, path: str, pod: dict[str, Any]) -> None:
        """Take a pod in and start its container."""
        status = {
            "name": "executor",
            "state": {"running": {}},
            "ready": True,
            "restartCount": 0,
            "image": "",
            "imageID": "",
        }
        pod["metadata"] |= {"namespace": path.split("/")[4], "creationTimestamp": "2026-01-01T00:00:00Z"}
        pod["status"] = {"phase": "Running", "containerStatuses": [status]}
        self.pods.append(pod)
        variables = {each["name"]: each.get("value", "127.0.0.1") for each in pod["spec"]["containers"][0]["env"]}
        options = [value for name, value in variables.items() if name.startswith("SPARK_JAVA_OPT_")]
        named = [word for option, name in ARGUMENTS.items() for word in (option, variables[name])]
        command = [self.java, *options, f"-Xmx{variables['SPARK_EXECUTOR_MEMORY']}", "-cp", f"{HOME}/jars/*", BACKEND]
        where = ["--hostname", "127.0.0.1", "--podName", pod["metadata"]["name"]]
        environment = os.environ | BRIEF | {"SPARK_LOCAL_DIRS": str(self.folder)}
        with (self.folder / f"{pod['metadata']['name']}.log").open("wb") as log:
            started = subprocess.Popen(
                [*command, *named, *where], cwd=self.folder, env=environment, stdout=log, stderr=subprocess.STDOUT
            )
        self.processes.append(started)

    def end(self) -> None:
        """Kill what still runs."""
        self._server.shutdown()
        for process in self.processes:
            process.kill()
            process.wait()


class _Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cluster: Kubernetes

    def do_GET(self) -> None:
        kind = {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}}
        self._answer(200, kind | {"items": self.cluster.pods})

    def do_POST(self) -> None:
        made = self._read()
        if self.path.endswith("/pods"):
            self.cluster.run(self.path, made)
        self._answer(201, made)

    def do_PATCH(self) -> None:
        self._answer(200, self._read())

    def do_DELETE(self) -> None:
        self._read()
        self._answer(200, {"kind": "Status", "status": "Success"})

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _read(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
