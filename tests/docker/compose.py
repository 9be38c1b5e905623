"""Reads a compose file and moves its services from containers to processes on loopback addresses."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import yaml

VARIABLE = re.compile(r"\$(?:\{(?P<name>\w+)(?::\?(?P<message>[^}]*))?\}|(?P<other>.?))")


@dataclass(frozen=True)
class Service:
    """What is needed to run one service; `mounts` maps a path inside it to a volume, a file or nothing."""

    name: str
    command: list[str]
    environment: dict[str, str]
    check: list[str]
    user: str | None
    stop_signal: str
    mounts: dict[str, str | None]


def services(path: Path, variables: Mapping[str, str]) -> list[Service]:
    """Read the services of a compose file, each after those that it depends on.

    Raises:
        KeyError: the file needs a variable that is missing.
        ValueError: it uses an interpolation that is not understood here.

    """
    found = interpolate(yaml.safe_load(path.read_text(encoding="utf-8"))["services"], variables)
    order = TopologicalSorter({name: service.get("depends_on", {}) for name, service in found.items()})
    return [_service(name, found[name]) for name in order.static_order()]


def interpolate(value: Any, variables: Mapping[str, str]) -> Any:
    """Put variables in place of `${NAME}` and `${NAME:?message}` in every string of a tree."""
    if isinstance(value, dict):
        return {key: interpolate(inner, variables) for key, inner in value.items()}
    if isinstance(value, list):
        return [interpolate(inner, variables) for inner in value]
    if not isinstance(value, str):
        return value

    def put(match: re.Match[str]) -> str:
        if match["name"] is None:
            raise ValueError(f"cannot interpolate {match[0]!r} in {value!r}")
        if not variables.get(match["name"]):
            raise KeyError(match["message"] or f"set {match['name']}")
        return variables[match["name"]]

    return VARIABLE.sub(put, value)


def _service(name: str, found: dict[str, Any]) -> Service:
    mounts: dict[str, str | None] = dict.fromkeys(found.get("tmpfs", []))
    for volume in found.get("volumes", []):
        source, _, target = volume.removesuffix(":ro").rpartition(":")
        mounts[target] = source or None
    kind, *check = found["healthcheck"]["test"]
    if kind != "CMD":
        raise ValueError(f"{name}: only a CMD health check runs without a shell, not {kind}")
    return Service(
        name=name,
        command=found["command"],
        environment={key: str(value) for key, value in found.get("environment", {}).items()},
        check=check,
        user=found.get("user"),
        stop_signal=found.get("stop_signal", "SIGTERM"),
        mounts=mounts,
    )


def on_loopback(service: Service, addresses: Mapping[str, str], volumes: Path) -> Service:
    """Move a service to its own loopback address and its files under `volumes`; ports stay as they are.

    A service's name stands for its host where a port follows it, and where it is a whole word of the command after
    the first.
    """
    names = "|".join(map(re.escape, addresses))
    host = re.compile(rf"(?<![\w.-])(?:{names})(?=:\d)")
    itself = re.compile(r"\b(?:localhost|127\.0\.0\.1|0\.0\.0\.0)\b")
    folders = {
        target: str(volumes / (source or f"{service.name}-{target.strip('/').replace('/', '-')}"))
        for target, source in service.mounts.items()
        if source is None or "/" not in source
    }

    def move(text: str) -> str:
        text = host.sub(lambda match: addresses[match[0]], itself.sub(addresses[service.name], text))
        for target, folder in folders.items():
            text = re.sub(rf"(?<![\w/]){re.escape(target)}\b", folder, text)
        return text

    return replace(
        service,
        command=[service.command[0], *(addresses.get(word) or move(word) for word in service.command[1:])],
        environment={key: move(value) for key, value in service.environment.items()},
        check=[move(word) for word in service.check],
        mounts={folders.get(target, target): source for target, source in service.mounts.items()},
    )
