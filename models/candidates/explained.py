"""What is explained: raw columns, each with its encoded ones, and the values that it is set to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from conf.columns import SECONDS, Categorical, Column, Cyclic, Hashed, Numeric, Quantile, TensorColumn
from conf.manifest import Manifest
from models.candidates.rows import Columns, Rows
from models.evaluation.metrics import Floats, Ints

POINTS, LEVELS, PHASES = 15, 10, 24
RESERVED = ("(unknown)", "(missing)", "(rare)")
UNITS = {"day": ("hour of the day", 24.0), "week": ("day of the week", 7.0), "year": ("month of the year", 12.0)}


@dataclass(frozen=True)
class Grid:
    """Values to set a feature to.

    Attributes:
        shown: each in the raw column's unit, or the names of levels.
        numbers: place in `Rows.numbers` -> encoded value of each.
        codes: place in `Rows.codes` -> code of each.

    """

    shown: list[float] | list[str]
    numbers: Mapping[int, Floats]
    codes: Mapping[int, Ints]

    def set(self, rows: Rows, point: Ints) -> Rows:
        """Rows with the feature set to grid point `point`, `(rows,)`."""
        numbers, codes = rows.numbers.copy(), rows.codes.copy()
        for place, values in self.numbers.items():
            numbers[:, place] = values[point]
        for place, level in self.codes.items():
            codes[:, place] = level[point]
        return replace(rows, numbers=numbers, codes=codes)


@dataclass(frozen=True)
class Feature:
    """A column as a person knows it: its name, places of its encoded columns, and its grid; None: it has none."""

    name: str
    numbers: tuple[int, ...]
    codes: tuple[int, ...]
    grid: Callable[[Rows], Grid] | None


def features(columns: Columns, manifest: Manifest | None, levels: Mapping[str, Sequence[str]]) -> list[Feature]:
    """Columns that belong together, in the manifest's order; without it, each column alone.

    Args:
        columns: of the rows.
        manifest: of the feature set.
        levels: column -> names of its codes, as `level_names` gives them.

    """
    number = {name: place for place, name in enumerate(columns.numbers)}
    code = {name: place for place, name in enumerate(columns.codes)}
    found, taken = [], set()
    for column in [] if manifest is None else manifest.columns:
        if isinstance(column, TensorColumn):
            continue  # its numbers stand for themselves
        numbers = tuple(number[name] for name in column.encoded if name in number)
        codes = tuple(code[name] for name in column.encoded if name in code)
        taken |= {*column.encoded}
        if numbers or codes:
            found.append(_feature(column, numbers, codes, levels))
    for name, place in number.items():
        if name not in taken:
            found.append(Feature(name, (place,), (), _numbers(place, lambda values: values, ())))
    for name, place in code.items():
        if name not in taken:
            found.append(Feature(name, (), (place,), _codes(place, levels.get(name, ()))))
    return found


def level_names(
    columns: Columns, manifest: Manifest | None, levels: Mapping[str, Sequence[str]]
) -> dict[str, Sequence[str]]:
    """Names of each categorical column's codes, the reserved ones first; {} of those that have none."""
    known = {one.name: one for one in (manifest.columns if manifest else ()) if isinstance(one, Categorical)}
    named: dict[str, Sequence[str]] = {name: (*RESERVED, *one.vocabulary) for name, one in known.items()}
    return {name: names for name, names in (named | dict(levels)).items() if name in columns.codes}


def _feature(
    column: Column, numbers: tuple[int, ...], codes: tuple[int, ...], levels: Mapping[str, Sequence[str]]
) -> Feature:
    if isinstance(column, Categorical | Hashed):
        return Feature(column.name, numbers, codes, _codes(codes[0], levels.get(column.name, ())))
    if isinstance(column, Cyclic):
        name, period = next(iter(column.periods.items()))
        unit, turn = _turn(column, name, period)
        shown = f"{column.name} ({unit})" if unit else column.name
        return Feature(shown, numbers, codes, _cycle(numbers, turn, len(column.values)))
    if isinstance(column, TensorColumn) or len(column.values) > 1:
        return Feature(column.name, numbers, codes, None)
    return Feature(column.name, numbers, codes, _numbers(numbers[0], _raw(column), numbers[1:]))


def _turn(column: Cyclic, name: str, period: float) -> tuple[str, float]:
    """Unit and length of a period, as a person counts it."""
    if column.of == "time" and SECONDS.get(name) == period:
        return UNITS[name]
    return ("seconds", period) if column.of == "time" else ("", period)


def _raw(column: Column) -> Callable[[Floats], Floats]:
    """From encoded values to the raw column's unit."""
    if isinstance(column, Numeric):
        mean, scale = column.mean, column.scale
        return lambda values: values * scale + mean
    if isinstance(column, Quantile):
        points, shares = np.array(column.points), np.array(column.shares)
        return lambda values: np.interp(values / np.sqrt(12) + 0.5, shares, points)
    return lambda values: values


def _numbers(place: int, raw: Callable[[Floats], Floats], indicators: Sequence[int]) -> Callable[[Rows], Grid]:
    """Set to quantiles of the rows from the 2nd to the 98th percent, and the value is there."""

    def grid(rows: Rows) -> Grid:
        seen = rows.numbers[:, place].astype(np.float64)
        values = np.unique(seen)
        if len(values) > POINTS:
            values = np.unique(np.quantile(seen, np.linspace(0.02, 0.98, POINTS)))
        there = {other: np.zeros(len(values)) for other in indicators}
        return Grid([float(value) for value in raw(values)], {place: values, **there}, {})

    return grid


def _cycle(places: Sequence[int], turn: float, values: int) -> Callable[[Rows], Grid]:
    """Set the first period to points of its circle; further periods stay as they are."""

    def grid(_: Rows) -> Grid:
        angle = 2 * np.pi * np.arange(PHASES) / PHASES
        there = {other: np.zeros(PHASES) for other in places[values:]}
        set_to = {places[0]: np.sin(angle), places[1]: np.cos(angle), **there}
        return Grid([float(share) for share in turn * np.arange(PHASES) / PHASES], set_to, {})

    return grid


def _codes(place: int, names: Sequence[str]) -> Callable[[Rows], Grid]:
    """Set to the most frequent levels of the rows."""

    def grid(rows: Rows) -> Grid:
        codes, counts = np.unique(rows.codes[:, place], return_counts=True)
        first = codes[np.argsort(-counts, kind="stable")][:LEVELS].astype(np.int64)
        shown = [names[code] if code < len(names) else f"code {code}" for code in first]
        return Grid(shown, {}, {place: first})

    return grid
