"""`franklin join`: this machine's part in the trainings of another one."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

from conf.errors import FranklinError
from conf.exchange import ERROR_MARK
from conf.launchers import AnyLauncher, Torchrun
from flows.engines import JOIN
from flows.processes import supervised
from flows.supervise import USAGE_MARK

PAUSE_SECONDS = 1.0


def wanting(launcher: AnyLauncher) -> list[str]:
    """What a person has to do on other machines for a run with this launcher, if anything."""
    if not isinstance(launcher, Torchrun) or launcher.nodes == 1:
        return []
    others = launcher.nodes - 1
    return [f"  training wants {others} more machine{'s' * (others > 1)}; there: franklin join {launcher.address}"]


def lend(first: str, address: str | None, home: Path, say: Callable[[str], None]) -> None:
    """Take part in the trainings that the machine at `first` (HOST:PORT) launches, until a signal ends this.

    What ranks print goes to `join.log` in `home`.

    Raises:
        FranklinError: this machine is no match for the first one.

    """
    host, _, port = first.rpartition(":")
    if not host or not port.isdigit():
        raise FranklinError(f"'{first}' is no address: write HOST:PORT, as launcher.address of the first machine says")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    home.mkdir(parents=True, exist_ok=True)
    command = [*JOIN, first, *([address] if address else [])]
    with (home / "join.log").open("a", encoding="utf-8") as log:
        say(f"waits for a training at {first}; Ctrl-C ends this, {log.name} has what ranks print")
        while True:
            with supervised(command, log) as guard:
                for line in guard.stdout or ():
                    if line.startswith(ERROR_MARK):
                        raise FranklinError(line.removeprefix(ERROR_MARK).rstrip())
                    if not line.startswith(USAGE_MARK):
                        say(line.rstrip())
            time.sleep(PAUSE_SECONDS)  # its agent has died: another one takes the place
