"""Days of a dataset: which there are, and which are wanted. Needs no Spark."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from conf.data import WINDOW, Data
from conf.errors import FranklinError


def by_day(files: list[str], column: str) -> dict[date, list[str]]:
    """Sort files by the folder `column=2013-01-31` that they are in; empty if none is in such a folder.

    Raises:
        FranklinError: Some files are in one, others are not, or a folder's name is no date.

    """
    found = {file: re.search(rf"/{re.escape(column)}=([^/]*)/", file) for file in files}
    days: dict[date, list[str]] = {}
    for file, match in found.items():
        if match:
            days.setdefault(_date(match[1], file), []).append(file)
    astray = [file for file, match in found.items() if not match]
    if days and astray:
        raise FranklinError(f"{astray[0]} is in no folder {column}=YYYY-MM-DD, as others are; move it into one")
    return dict(sorted(days.items()))


def wanted(days: Iterable[date], window: str | None) -> list[date]:
    """Return the days in the window, all of them without one.

    Raises:
        FranklinError: There are none.

    """
    there = sorted(days)
    low, high = bounds(window, there[-1]) if window else (there[0], there[-1])
    found = [day for day in there if low <= day <= high]
    if not found:
        raise FranklinError(f"data.window={window} holds no day; there are {there[0]} to {there[-1]}")
    return found


def bounds(window: str, newest: date) -> tuple[date, date]:
    """Return the first and the last day of a window.

    Raises:
        FranklinError: It is of the newest days, and the newest is in the future: all others would be outside.

    """
    found = WINDOW.fullmatch(window)
    if found is None:  # the configuration has been checked
        raise ValueError(window)
    if found[3]:
        if newest > datetime.now(UTC).date() + timedelta(days=1):  # somewhere it is tomorrow
            raise FranklinError(
                f"data.window={window}: the newest day is {newest}, in the future; mend it, rule it out by "
                "data.checks, or say data.window=FIRST..LAST"
            )
        return newest - timedelta(days=int(found[3]) - 1), newest
    return date.fromisoformat(found[1]), date.fromisoformat(found[2])


def chosen(files: list[str], data: Data) -> list[str]:
    """Return the files of the days that are wanted; all, if they are in no folders of days."""
    days = by_day(files, data.day) if data.day else {}
    return [file for day in wanted(days, data.window) for file in days[day]] if days else files


def _date(name: str, file: str) -> date:
    try:
        return date.fromisoformat(name)
    except ValueError:
        raise FranklinError(f"{file}: '{name}' is no date; name the folders of days as 2013-01-31") from None
