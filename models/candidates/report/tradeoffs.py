"""The part on trade-offs: the metric against what it takes, with the Pareto front of each."""

from dataclasses import dataclass

from conf.contests import CandidateName
from models.candidates.fronts import PRICES, Point, Price, front
from models.candidates.report.formats import listed, plain, seconds, size
from models.candidates.report.labels import Label, beside
from models.candidates.report.svg import Plot
from models.candidates.report.view import View

ACROSS, DOWN = 560, 420
TITLES: dict[Price, tuple[str, str]] = {
    "processor_seconds": ("processor time of the fit on all rows", "processor time"),
    "latency_seconds": ("latency of one row, 99th percentile", "latency"),
    "size_bytes": ("size on disk", "size"),
}
KILO = 1024.0


@dataclass(frozen=True)
class TradeOff:
    """One front: its heading, a sentence, the picture, and those whose label found no room."""

    title: str
    says: str
    svg: str
    unlabelled: str


def tradeoffs(view: View) -> list[TradeOff]:
    """Draw a front for each price that candidates have."""
    found = []
    for price in PRICES:
        points = front(view.findings.standings, price, higher_is_better=view.findings.higher_is_better)
        if len(points) > 1:
            found.append(_tradeoff(view, price, points))
    return found


def _tradeoff(view: View, price: Price, points: list[Point]) -> TradeOff:
    axis, word = TITLES[price]
    y = view.focus([point.value for point in points])
    least = [max(point.price, 1e-9) for point in points]
    plot = Plot(ACROSS, DOWN, (min(least) / 1.7, max(least) * 1.7), y, x_log=True, top=30, left=56)
    ticks = _powers(*plot.x) if price == "size_bytes" else None
    plot.axes(
        f"{axis} (logarithmic; left is cheaper)",
        f"{view.findings.title}, {'higher' if view.sign > 0 else 'lower'} is better",
        x_text=lambda tick: (size if price == "size_bytes" else seconds)(tick, plain),
        y_text=view.metric,
        x_ticks=ticks,
    )
    fronts = [point for point in points if point.front]
    stairs = [(max(fronts[0].price, 1e-9), _inside(fronts[0].value, y))]
    for point in fronts[1:]:
        stairs += [(max(point.price, 1e-9), stairs[-1][1]), (max(point.price, 1e-9), _inside(point.value, y))]
    plot.line([*stairs, (plot.x[1], stairs[-1][1])], "front")
    for point in points:
        look = f"{view.role(point.candidate)}{' hollow' if not point.front else ''}"
        shown = size(point.price) if price == "size_bytes" else seconds(point.price)
        said = f"{view.names[point.candidate]}: {view.metric(point.value)}, {shown}"
        plot.dot(max(point.price, 1e-9), _inside(point.value, y), look, 5, said)
    missing = _labels(view, plot, points, y)
    return TradeOff(
        f"{view.findings.title} against {word}",
        _says(view, points, price, word),
        plot.drawn(f"Pareto front: {word}"),
        missing,
    )


def _labels(view: View, plot: Plot, points: list[Point], y: tuple[float, float]) -> str:
    """Write who is where, the important ones first; give those for whom there is no room."""
    order = sorted(points, key=lambda one: (view.role(one.candidate) == "rest", not one.front))
    places = [(plot.px(max(one.price, 1e-9)), plot.py(_inside(one.value, y))) for one in order]
    texts = [view.names[one.candidate] + _outside(view, one.value, y) for one in order]
    bounds = (plot.left + 2, plot.top, plot.across - 2, plot.down - plot.bottom - 2)
    missing = []
    for one, place, text, label in zip(order, places, texts, beside(places, texts, bounds), strict=True):
        if label is None:
            missing.append(text)
            continue
        if label.led:
            plot.rule(place, _touching(place, label), "lead")
        plot.text(label.x, label.y, text, f"label {view.role(one.candidate)}", label.anchor)
    return "" if not missing else f"Without room for a label: {listed(missing)}."


def _touching(place: tuple[float, float], label: Label) -> tuple[float, float]:
    """End of the line from a point to its label, at the label's edge."""
    if label.anchor == "middle":
        return label.x, label.y + 3 if label.y < place[1] else label.y - 10
    return label.x + (-2 if label.anchor == "start" else 2), label.y - 4


def _inside(value: float, y: tuple[float, float]) -> float:
    room = 0.02 * (y[1] - y[0])
    return min(max(value, y[0] + room), y[1] - room)


def _outside(view: View, value: float, y: tuple[float, float]) -> str:
    """Say the value of a point that lies outside and is drawn at the edge."""
    return f" ({view.metric(value)})" if not y[0] <= value <= y[1] else ""


def _powers(low: float, high: float) -> list[float]:
    """Ticks for bytes."""
    steps = [KILO**power * factor for power in range(4) for factor in (1, 10, 100)]
    return [step for step in steps if low <= step <= high]


def _too_slow(view: View) -> list[CandidateName]:
    return [one.candidate for one in view.ranked if one.latency and one.latency.one_p99_seconds is None]


def _says(view: View, points: list[Point], price: Price, word: str) -> str:
    on_front = view.names.listed(point.candidate for point in points if point.front)
    said = f"On the front, beaten by nobody in both: {on_front}."
    if price == "latency_seconds" and (slow := _too_slow(view)):
        said += f" Too slow for a 99th percentile, and not in the picture: {view.names.listed(slow)}."
    mine = next((one for one in points if one.candidate == view.findings.recommendation.candidate), None)
    if mine is not None and not mine.front:
        better = [
            one.candidate
            for one in points
            if one.front and one.price <= mine.price and view.sign * one.value >= view.sign * mine.value
        ]
        said += (
            f" The recommended one is not on it: {view.names.listed(better)} {'is' if len(better) == 1 else 'are'} at "
            f"least as good and as cheap in {word}."
        )
    return said
