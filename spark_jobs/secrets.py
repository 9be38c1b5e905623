"""Values that are not written down: `env:NAME` is looked up where the job runs, and nowhere else."""

import os

from conf.errors import FranklinError
from conf.places import ENVIRONMENT


def given(options: dict[str, str], where: str = "options") -> dict[str, str]:
    """Return options with the values that the environment has; `where` they were said is for the error.

    Raises:
        FranklinError: It has not.

    """
    return {name: _given(f"{where}.{name}", value) for name, value in options.items()}


def _given(name: str, value: str) -> str:
    if not value.startswith(ENVIRONMENT):
        return value
    variable = value.removeprefix(ENVIRONMENT)
    if variable not in os.environ:
        raise FranklinError(f"{name}: {variable} is not set in the environment of the job; export it")
    return os.environ[variable]
