"""The journal of a contest's fits, with which a retried contest goes on."""

import json
from collections.abc import Iterator
from pathlib import Path

from conf.selecting import Fit, FitTask
from models.candidates.apart import OUTSIDE

Key = tuple[str, str, int, int, str]


class Journal:
    """`journal.jsonl`: one fit a line, appended when it is done; a line that was torn by a crash was not."""

    def __init__(self, path: Path) -> None:
        """Read what is there, and have new lines follow the last whole one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_bytes() if path.exists() else b""
        whole = text[: text.rfind(b"\n") + 1]
        self._fits = {key_of(fit): fit for fit in map(Fit.model_validate_json, whole.splitlines())}
        self._file = path.open("ab")
        self._file.truncate(len(whole))

    def __iter__(self) -> Iterator[Fit]:
        """Fits in the order in which they were done."""
        return iter(self._fits.values())

    def __len__(self) -> int:
        """Fits."""
        return len(self._fits)

    def find(self, task: FitTask, rows: int) -> Fit | None:
        """Look up the fit of a task on so many rows; None if it is still to be done.

        One that was ended from outside, as where the machine ran out of memory, is done again.
        """
        fit = self._fits.get(key_of_task(task, rows))
        return None if fit is None or (fit.failure is not None and OUTSIDE in fit.failure) else fit

    def add(self, fit: Fit) -> None:
        """Append a fit; it is in the file when this returns."""
        self._fits[key_of(fit)] = fit
        self._file.write(fit.model_dump_json().encode() + b"\n")
        self._file.flush()


def key_of(fit: Fit) -> Key:
    """What tells fits of a contest apart: candidate, phase, fold, rows, settings."""
    return fit.candidate, fit.phase, fit.fold, fit.rows, _text(fit)


def key_of_task(task: FitTask, rows: int) -> Key:
    """The key that the fit of a task on so many rows will have."""
    return task.candidate, task.phase, task.fold, rows, _text(task)


def _text(what: Fit | FitTask) -> str:
    return json.dumps(what.values, sort_keys=True)
