"""The files in docker/ keep their promises, as far as they can be read without an engine."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.docker import compose
from tests.docker.conftest import COMPOSE_FILE, SECRETS
from tests.docker.processes import ROOT

BIN = ROOT / ".venv" / "bin"
VARIABLES = dict.fromkeys(SECRETS, "secret")
SERVICES = yaml.safe_load(COMPOSE_FILE.read_text(encoding="utf-8"))["services"]


def test_the_compose_file_fits_the_compose_specification() -> None:
    command = [str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(COMPOSE_FILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_dockerfile_is_lint_free() -> None:
    command = [str(BIN / "hadolint"), "--config", "docker/.hadolint.yaml", "docker/Dockerfile"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_checked_restarted_and_published_to_this_machine_alone(name: str) -> None:
    service = SERVICES[name]
    assert service["healthcheck"]["test"]
    assert service["restart"] == "unless-stopped"
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    conditions = service.get("depends_on", {}).values()
    assert all(condition == {"condition": "service_healthy"} for condition in conditions)


@pytest.mark.parametrize("name", SECRETS)
def test_no_secret_has_a_default(name: str) -> None:
    with pytest.raises(KeyError, match=f"set {name}"):
        compose.services(COMPOSE_FILE, {key: value for key, value in VARIABLES.items() if key != name})


def test_services_come_after_those_that_they_depend_on() -> None:
    order = [service.name for service in compose.services(COMPOSE_FILE, VARIABLES)]
    for name, service in SERVICES.items():
        assert all(order.index(other) < order.index(name) for other in service.get("depends_on", {}))


@given(st.text(st.characters(exclude_characters="$")), st.text(min_size=1))
def test_interpolation_changes_variables_alone(text: str, secret: str) -> None:
    given_tree = {"list": [text, f"{text}${{NAME}}{text}"], "number": 1}
    assert compose.interpolate(given_tree, {"NAME": secret}) == {"list": [text, f"{text}{secret}{text}"], "number": 1}


def test_an_interpolation_that_is_not_understood_is_an_error() -> None:
    with pytest.raises(ValueError, match="cannot interpolate"):
        compose.interpolate("${NAME:-default}", {"NAME": "x"})


def test_a_service_moves_to_its_own_address_and_folders(tmp_path: Path) -> None:
    service = compose.Service(
        name="db",
        command=["db", "--host", "db", "--peer=cache:80", "--data=/var/lib/db/files", "--name=db"],
        environment={"URL": "db://db:secret@cache:80/cache", "BIND": "0.0.0.0"},  # noqa: S104  the address to be moved
        check=["check", "http://localhost:1"],
        user=None,
        stop_signal="SIGTERM",
        mounts={"/var/lib/db": "data", "/init": "./init.sql"},
    )
    moved = compose.on_loopback(service, {"db": "127.1.1.1", "cache": "127.1.1.2"}, tmp_path)
    assert moved.command == [
        "db", "--host", "127.1.1.1", "--peer=127.1.1.2:80", f"--data={tmp_path}/data/files", "--name=db",
    ]  # fmt: skip
    assert moved.environment == {"URL": "db://db:secret@127.1.1.2:80/cache", "BIND": "127.1.1.1"}
    assert moved.check == ["check", "http://127.1.1.1:1"]
    assert moved.mounts == {str(tmp_path / "data"): "data", "/init": "./init.sql"}


def test_the_build_context_has_all_that_the_dockerfile_copies() -> None:
    ignored = (ROOT / "docker" / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    admitted = [line.removeprefix("!") for line in ignored if line.startswith("!")]
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
    sources = [
        source.rstrip("/")
        for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    assert sources
    for source in sources:
        assert (ROOT / source).exists(), f"{source} is copied and does not exist"
        assert any(os.path.commonpath([source, path]) == path for path in admitted), f"{source} is ignored"
