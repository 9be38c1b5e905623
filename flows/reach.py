"""Whether a server answers, asked before anything leans on it."""

import socket
import urllib.request
from http.client import HTTPException
from urllib.parse import urlsplit

from conf.errors import FranklinError

REACH_SECONDS = 5.0
DATABASE_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
LOCAL_STORE = "unset MLFLOW_TRACKING_URI and tracking.uri to use the local store"


def is_server(uri: str) -> bool:
    """Whether a URI names a server rather than a database or a folder."""
    return urlsplit(uri).scheme in {"http", "https"}


def check_reachable(uri: str, name: str = "MLflow", without: str = LOCAL_STORE) -> None:
    """Ask a server for its health, so that a wrong address costs seconds and not minutes of retries.

    Raises:
        FranklinError: nothing healthy answers there.

    """
    try:
        if is_server(uri):
            urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=REACH_SECONDS).close()  # noqa: S310 - http(s) only
        elif host := urlsplit(uri).hostname:
            port = urlsplit(uri).port or DATABASE_PORTS.get(urlsplit(uri).scheme.partition("+")[0])
            if port is not None:
                socket.create_connection((host, port), timeout=REACH_SECONDS).close()
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise FranklinError(
            f"the {name} server {_shown(uri)} can't be reached ({reason}): start it, or {without}"
        ) from None


def _shown(uri: str) -> str:
    """A URI without its password."""
    user, at, rest = uri.rpartition("@")
    return f"{user.partition('://')[0]}://{rest}" if at else uri
