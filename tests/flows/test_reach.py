"""A server that doesn't answer is named in one line, before anything leans on it."""

import socket
from threading import Thread

import pytest

from conf.errors import FranklinError
from flows.reach import check_reachable


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:9",
        "http://127.0.0.1:abc",
        "http://[::1",
        "postgresql+psycopg2://me:secret@127.0.0.1:9/mlflow",
        "http://nowhere.invalid",
    ],
)
def test_what_does_not_answer_is_named_without_its_password(uri: str) -> None:
    with pytest.raises(FranklinError, match=r"the MLflow server .* can't be reached .*: start it, or unset") as caught:
        check_reachable(uri)
    assert "secret" not in str(caught.value)


def test_what_answers_otherwise_is_no_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        answer = Thread(target=lambda: server.accept()[0].sendall(b"SSH-2.0-OpenSSH\r\n\r\n"))
        answer.start()
        with pytest.raises(FranklinError, match="can't be reached"):
            check_reachable(f"http://127.0.0.1:{port}")
        answer.join()


@pytest.mark.parametrize("uri", ["sqlite:////tmp/mlflow.db", "/tmp/mlruns", "file:///tmp/mlruns"])  # noqa: S108
def test_files_are_not_asked(uri: str) -> None:
    check_reachable(uri)
