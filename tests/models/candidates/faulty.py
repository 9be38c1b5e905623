"""The contest's engine among candidates that go wrong: `python -m tests.models.candidates.faulty REQUEST.json`."""

import ctypes
import os
import subprocess
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from conf.exchange import serve
from conf.selecting import ContestRequest, Value
from models.candidates import named
from models.candidates.candidate import Candidate, Fitted
from models.candidates.contest import contest
from models.candidates.rows import Columns, Rows

SLOW = float(os.environ.get("SLOW_SECONDS", "0"))


class _Faulty(Candidate):
    family = "tree"
    tasks = frozenset({"binary", "regression"})

    def fit(self, rows: Rows, *, seed: int, values: Mapping[str, Value], threads: int) -> Fitted:
        self.go_wrong()
        return named("majority" if rows.columns.classes else "mean").fit(
            rows, seed=seed, values=values, threads=threads
        )

    def load(self, folder: Path, columns: Columns) -> Fitted:
        return named("majority" if columns.classes else "mean").load(folder, columns)

    def go_wrong(self) -> None:
        raise NotImplementedError


class _Crashing(_Faulty):
    name, title = "decision_tree", "crashing"

    def go_wrong(self) -> None:
        ctypes.string_at(0)


class _Hungry(_Faulty):
    name, title = "random_forest", "hungry"

    def go_wrong(self) -> None:
        for _ in range(100):
            np.ones(2**30)


class _Endless(_Faulty):
    name, title = "gradient_boosting", "endless"

    def go_wrong(self) -> None:
        subprocess.Popen(["sleep", "1234.5"], start_new_session=True)
        time.sleep(1000)


class _Raising(_Faulty):
    name, title = "xgboost", "raising"

    def go_wrong(self) -> None:
        raise ValueError("first line\nsecond line")


class _Slow(_Faulty):
    name, title = "lightgbm", "slow"

    def go_wrong(self) -> None:
        time.sleep(SLOW)


class _NotNumbers(_Faulty):
    name, title = "mlp", "no numbers"

    def go_wrong(self) -> None:
        """Go on, and be wrong later."""

    def fit(self, rows: Rows, *, seed: int, values: Mapping[str, Value], threads: int) -> Fitted:
        fitted = super().fit(rows, seed=seed, values=values, threads=threads)
        fitted.score = np.asarray(np.nan)
        return fitted


FAULTY = [_Crashing(), _Hungry(), _Endless(), _Raising(), _Slow(), _NotNumbers()]
SOUND = [named(name) for name in ("mean", "median", "majority", "linear_regression", "logistic_regression", "ridge")]

if __name__ == "__main__":
    serve(ContestRequest, partial(contest, every=[*FAULTY, *SOUND]))
