"""Whether a server answers, asked before anything leans on it."""

import urllib.request
from urllib.parse import urlsplit

from conf.errors import FranklinError

REACH_SECONDS = 5.0
LOCAL_STORE = "unset MLFLOW_TRACKING_URI and tracking.uri to use the local store"


def is_server(uri: str) -> bool:
    """Whether a URI names a server rather than a database or a folder."""
    return urlsplit(uri).scheme in {"http", "https"}


def check_reachable(uri: str, name: str = "MLflow", without: str = LOCAL_STORE) -> None:
    """Ask a server for its health, so that a wrong address costs seconds and not minutes of retries.

    Raises:
        FranklinError: nothing healthy answers there.

    """
    if not is_server(uri):
        return
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=REACH_SECONDS):  # noqa: S310 - http(s) only
            return
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise FranklinError(f"the {name} server {uri} can't be reached ({reason}): start it, or {without}") from None
