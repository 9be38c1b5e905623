"""Why a process failed, out of what it left behind."""

import json
import re
from pathlib import Path

NAMED = re.compile(r"Exception|Error\b|ERROR|Killed|No space left")
MOST_LINES, MOST_CHARACTERS, LAST_LINES = 10, 300, 5


def complaint(log: str) -> str:
    """The lines of a log that matter: the first that name an error, and the last ones.

    Frames of a trace, Java's and Python's, are left out: those are indented.
    """
    lines = [line[:MOST_CHARACTERS] for line in log.splitlines() if line and not line[0].isspace()]
    named = [line for line in lines if NAMED.search(line)]
    return "\n".join(dict.fromkeys([*named[:MOST_LINES], *lines[-LAST_LINES:]]))


def why(answer: Path, log: Path) -> str:
    """What an engine answered, if it is an error; else the lines of its log that matter."""
    said = json.loads(answer.read_text(encoding="utf-8")) if answer.exists() else {}
    return str(said["error"]) if "error" in said else complaint(log.read_text(encoding="utf-8", errors="replace"))
