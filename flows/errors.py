"""How the command ends when something goes wrong: one line for a person, a traceback only with --debug."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from conf.errors import FranklinError
from flows.processes import EngineCrashError

INTERRUPTED = 130
ENDED = "everything that was started has been ended"


class TerminatedError(BaseException):
    """A signal to end has come: nothing but the way out should take notice."""

    def __init__(self, status: int) -> None:
        """`status` is what the command ends with."""
        super().__init__(status)
        self.status = status


@contextmanager
def errors_for_people(*, debug: bool) -> Iterator[None]:
    """Turn whatever is raised into one line on standard error and a non-zero exit status."""
    try:
        yield
    except FranklinError as error:
        _end(str(error), debug=debug)
    except EngineCrashError as error:
        if debug:
            raise
        _end(str(error).splitlines()[0], debug=debug)
    except KeyboardInterrupt:
        _end(f"interrupted; {ENDED}", debug=debug, status=INTERRUPTED)
    except TerminatedError as error:
        _end(f"told to end; {ENDED}", debug=debug, status=error.status)
    except Exception as error:
        if debug:
            raise
        text = str(error).strip().splitlines() or ["no more is known"]
        _end(f"{type(error).__name__}: {text[0]} (--debug shows where)", debug=debug)


def _end(line: str, *, debug: bool, status: int = 1) -> None:
    if debug:
        traceback.print_exc()
    sys.stderr.write(f"franklin: {line}\n")
    raise SystemExit(status)
