"""Numbers as a person reads them: three significant digits, with their unit."""

from collections.abc import Callable
from math import ceil, floor, isfinite, log10

MINUTE, HOUR = 60, 3_600


def number(value: float, digits: int = 3) -> str:
    """Three significant digits, such as 0.0123, 12.3 and 12,300."""
    if value == 0 or not isfinite(value):
        return "0" if value == 0 else str(value)
    places = digits - 1 - floor(log10(abs(value)))
    rounded = round(value, places)
    if abs(rounded) < 1e-4:  # noqa: PLR2004 -- from here on zeros are counted, not read
        return f"{rounded:.{digits - 1}g}"
    return _minus(f"{rounded:,.{max(0, places)}f}")


def plain(value: float) -> str:
    """The same without zeros at its end, for what a person has said and for ticks."""
    text = number(value)
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def fixed(value: float, decimals: int) -> str:
    """So many decimals, with a true minus sign."""
    return _minus(f"{round(value, decimals) + 0.0:,.{decimals}f}")  # + 0.0: of -0.0 comes 0.0


def decimals(width: float) -> int:
    """Decimals at which an interval's half width is one digit."""
    return min(8, max(0, ceil(-log10(width)))) if width > 0 and isfinite(width) else 3


def percent(share: float) -> str:
    """A share as percent, such as 12.3 %."""
    return f"{number(100 * share)} %"


def seconds(value: float, text: Callable[[float], str] = number) -> str:
    """A time with its unit, from ns to h."""
    for unit, size in (("h", HOUR), ("min", MINUTE), ("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size * (2 if size >= MINUTE else 1):
            return f"{text(value / size)} {unit}"
    return "0 s" if value == 0 else f"{text(value / 1e-9)} ns"


def size(count: float, text: Callable[[float], str] = number) -> str:
    """Bytes with their unit, 1 MB being 2**20 bytes as in the configuration."""
    for unit, power in (("GB", 30), ("MB", 20), ("kB", 10)):
        if count >= 2**power:
            return f"{text(count / 2**power)} {unit}"
    return f"{count:.0f} B"


def short(count: float) -> str:
    """A count for an axis, such as 3.7k and 2M."""
    for unit, power in (("M", 6), ("k", 3)):
        if count >= 10**power:
            return f"{count / 10**power:.3g}{unit}"
    return f"{count:.3g}"


def p_value(value: float) -> str:
    """A p-value, such as p = 0.053 or p < 0.001."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.2g}"  # noqa: PLR2004 -- smaller ones say no more


def listed(names: list[str]) -> str:
    """Names with commas and an 'and'."""
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + "".join(names[-1:])


def counted(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun, such as 1 candidate and 19 candidates."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _minus(text: str) -> str:
    return text.replace("-", "\N{MINUS SIGN}")
