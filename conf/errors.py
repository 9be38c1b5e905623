"""The one error that a person is meant to read, and the word that the person may have meant."""

import difflib
from collections.abc import Iterable


class FranklinError(Exception):
    """A mistake that a person can mend: one line that names the culprit and the way out.

    Engines write it into their result file and the command prints it without a traceback. Anything else that is
    raised is a defect of franklin's and keeps its traceback.
    """


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that looks most like `word`, if any does; one of the same letters comes first."""
    by_lower = {each.lower(): each for each in known}
    close = difflib.get_close_matches(word.lower(), by_lower, n=3, cutoff=0.5)
    guess = next((each for each in close if sorted(each) == sorted(word.lower())), next(iter(close), None))
    return by_lower[guess] if guess else None
