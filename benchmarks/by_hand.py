"""Engines as a shell script would start them: one after the other, with nothing around them."""

import json
import subprocess
from collections.abc import Sequence
from typing import TypeVar

from benchmarks.failures import why
from conf.exchange import Request
from conf.strict import Strict

R = TypeVar("R", bound=Strict)


def call(command: Sequence[str], request: Request, result: type[R]) -> R:
    """Run an engine to its end; what it prints goes to a log beside its answer.

    Raises:
        RuntimeError: it failed; its answer or the lines of its log that matter say how.

    """
    file = request.answer.with_suffix(".request.json")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(request.model_dump_json(), encoding="utf-8")
    kept = file.with_suffix(".log")
    with kept.open("w") as log:
        done = subprocess.run([*command, str(file)], check=False, stdout=log, stderr=log)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{why(request.answer, kept)}")
    return result.model_validate(json.loads(request.answer.read_text(encoding="utf-8"))["result"])
