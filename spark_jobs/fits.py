"""Fits of a contest in Spark: `python -m spark_jobs.fits REQUEST.json`, a `FitTask` a line in, a `Fit` a line out.

It has one session for all, and ends when its input does, or its parent.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

from conf.exchange import clean_up_on_sigterm
from conf.selecting import ContestRequest, FitTask
from spark_jobs.fitting.fit import Fits
from spark_jobs.session import session

PR_SET_PDEATHSIG = 1  # prctl(2)


def main(request: ContestRequest) -> None:
    """Answer each line, until there is none."""
    with session(request.spark, reports=False) as spark:
        fits = Fits(spark, request)
        for line in sys.stdin:
            sys.stdout.write(f"{fits.do(FitTask.model_validate_json(line)).model_dump_json()}\n")
            sys.stdout.flush()


def die_with(parent: int) -> None:
    """Have the system end this process when its parent ends, however that goes."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it was gone before
        sys.exit(1)


if __name__ == "__main__":
    clean_up_on_sigterm()
    die_with(os.getppid())
    main(ContestRequest.model_validate_json(Path(sys.argv[1]).read_text(encoding="utf-8")))
