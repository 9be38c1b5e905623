"""The part on calendar time: the main metric in each period of the test rows."""

from dataclasses import dataclass
from datetime import date

from conf.selecting import Period, Standing
from models.candidates.report.formats import listed
from models.candidates.report.labels import spread
from models.candidates.report.svg import Plot
from models.candidates.report.view import View

ACROSS, DOWN, LABEL_GAP, MOST_TICKS = 680, 300, 15, 8


@dataclass(frozen=True)
class Row:
    """A period in numbers."""

    start: str
    rows: str
    values: list[str]


@dataclass(frozen=True)
class Seasons:
    """What the part shows; an empty picture: the rows have no days."""

    says: list[str]
    svg: str
    heads: list[str]
    table: list[Row]


def seasons(view: View) -> Seasons:
    """Draw the metric over periods: the recommended and the best with intervals, the others grey."""
    dated = [standing for standing in view.ranked if any(period.value for period in standing.periods)]
    shown = [standing for standing in _shown(view) if standing in dated]
    if not shown:
        return Seasons([], "", [], [])
    periods = shown[0].periods
    means = [_mean(standing) for standing in dated]
    edges = [edge for standing in shown for p in standing.periods if p.value for edge in (p.value.low, p.value.high)]
    plot = Plot(ACROSS, DOWN, (-0.3, len(periods) - 0.7), view.focus(means, edges), right=130, top=26)
    plot.axes(
        f"first day of the period, {_years(periods)}",
        f"{view.findings.title} ({'higher' if view.sign > 0 else 'lower'} is better)",
        x_ticks=[float(place) for place in range(0, len(periods), -(-len(periods) // MOST_TICKS))],
        x_text=lambda place: _day(periods[int(place)].start, year=False),
        y_text=view.metric,
    )
    for standing in dated:
        if standing not in shown:
            plot.line([(place, value) for place, value, *_ in _valued(standing)], "behind")
    ends = []
    for number, standing in enumerate(reversed(shown)):
        role = view.role(standing.candidate)
        shift = 0.06 * (number if len(shown) > 1 else 0)
        points = [(place + shift, *values) for place, *values in _valued(standing)]
        plot.line([(x, value) for x, value, _, _ in points], role)
        for x, value, low, high in points:
            plot.rule((plot.px(x), plot.py(low)), (plot.px(x), plot.py(high)), f"whisker {role}")
            plot.dot(x, value, role, 4, f"{view.metric(value)} ({view.metric(low)} to {view.metric(high)})")
        ends.append((plot.px(points[-1][0]), plot.py(points[-1][1]), standing))
    placed = spread([y for _, y, _ in ends], LABEL_GAP, 20, DOWN - 50)
    for (x, _, standing), y in zip(ends, placed, strict=True):
        plot.text(x + 10, y + 4, view.names[standing.candidate], f"label {view.role(standing.candidate)}")
    return Seasons(
        _says(view, shown), plot.drawn("Main metric over calendar time"), _heads(view, shown), _table(view, shown)
    )


def _shown(view: View) -> list[Standing]:
    return [view.recommended] if view.recommended is view.best else [view.recommended, view.best]


def _valued(standing: Standing) -> list[tuple[float, float, float, float]]:
    return [
        (float(place), period.value.value, period.value.low, period.value.high)
        for place, period in enumerate(standing.periods)
        if period.value is not None
    ]


def _mean(standing: Standing) -> float:
    values = [value for _, value, *_ in _valued(standing)]
    return sum(values) / len(values)


def _day(start: str, *, year: bool = True) -> str:
    day = date.fromisoformat(start)
    return f"{day.day} {day:%b %Y}" if year else f"{day.day} {day:%b}"


def _years(periods: list[Period]) -> str:
    first, last = periods[0].start[:4], periods[-1].start[:4]
    return first if first == last else f"{first} to {last}"


def _heads(view: View, shown: list[Standing]) -> list[str]:
    return [view.names[standing.candidate] for standing in shown]


def _table(view: View, shown: list[Standing]) -> list[Row]:
    return [
        Row(
            _day(period.start),
            f"{period.rows:,}",
            [view.interval(found) if (found := one.periods[place].value) else "too few rows" for one in shown],
        )
        for place, period in enumerate(shown[0].periods)
    ]


def _says(view: View, shown: list[Standing]) -> list[str]:
    opening = (
        f"The test rows lie in {len(shown[0].periods)} periods. Whiskers are 95 % intervals (bootstrap); grey lines "
        "are the others."
    )
    said = [opening, _drawn(shown[0].periods)]
    for standing in shown:
        valued = [period for period in standing.periods if period.value]
        ordered = sorted(valued, key=lambda period: view.sign * (period.value.value if period.value else 0.0))
        said.append(_range(view, standing, ordered[0], ordered[-1]))
    if missing := sum(period.value is None for period in shown[0].periods):
        said.append(f"{missing} of the periods {'has' if missing == 1 else 'have'} too few rows to say anything.")
    return said


def _drawn(periods: list[Period]) -> str:
    """Say what resamples are of: periods of too few days have intervals that say less."""
    valued = [period for period in periods if period.value]
    few = [_day(period.start, year=False) for period in valued if period.drawn == "rows"]
    if not few:
        return "Resamples are of whole days."
    if len(few) == len(valued):
        return "Each has fewer than six days, so resamples are of single rows: whiskers say nothing of other days."
    return (
        f"Resamples are of whole days; of the periods from {listed(few)}, which have fewer than six days, they are of "
        "single rows: whiskers there say nothing of other days."
    )


def _range(view: View, standing: Standing, worst: Period, best: Period) -> str:
    if worst.value is None or best.value is None or worst is best:
        return f"{view.names.say(standing.candidate)} has one period with enough rows."
    name = view.names.say(standing.candidate)
    apart = worst.value.high < best.value.low if view.sign > 0 else worst.value.low > best.value.high
    text = (
        f"{name[0].upper()}{name[1:]} is best in the period from {_day(best.start)} ({view.metric(best.value.value)}) "
        f"and worst in that from {_day(worst.start)} ({view.metric(worst.value.value)})"
    )
    if apart and "rows" in (worst.drawn, best.drawn):
        return text + "; their intervals do not meet, so these days do differ."
    if apart:
        return text + "; their intervals do not meet, so it does change with time."
    return text + "; their intervals meet, so that may be chance."
