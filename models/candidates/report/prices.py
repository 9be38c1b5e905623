"""The part on what mistakes cost: expected cost over thresholds, and the cheapest threshold of each candidate."""

from collections.abc import Callable
from dataclasses import dataclass

from conf.selecting import Standing, Threshold
from models.candidates.costs import theoretical
from models.candidates.report.formats import number, percent, plain
from models.candidates.report.labels import spread
from models.candidates.report.svg import Plot
from models.candidates.report.view import View
from models.evaluation.metrics import EVEN

ACROSS, DOWN, LABEL_GAP = 680, 330, 15


@dataclass(frozen=True)
class Row:
    """A candidate's cheapest threshold."""

    label: str
    role: str
    threshold: str
    threshold_interval: str
    cost: str
    cost_interval: str
    half: str
    saved: str
    false_positives: str
    false_negatives: str


@dataclass(frozen=True)
class Prices:
    """What the part shows; an empty picture: no costs were said."""

    says: list[str]
    svg: str
    table: list[Row]


def prices(view: View) -> Prices:
    """Draw the cost of a row over thresholds, the recommended and the best in front."""
    costs = view.findings.contest.costs
    priced = [(standing, standing.threshold) for standing in view.ranked if standing.threshold is not None]
    priced.sort(key=lambda pair: pair[1].cost.value)
    if costs is None or not priced:
        return Prices([], "", [])
    shown = [pair for role in ("best", "rec") for pair in priced if view.role(pair[0].candidate) == role]
    most = min(max(one.costs[0] for _, one in priced), 2.2 * max(one.cost.value for _, one in shown or priced))
    most = max([most, *(one.cost_at_half * 1.05 for _, one in shown)])
    least = 0.85 * min(min(one.costs) for _, one in priced)
    plot = Plot(ACROSS, DOWN, (0, 1), (least, most), right=130, top=26)
    plot.axes("threshold: from this probability on, a row is called positive", "cost a row of test (lower is better)")
    for standing, one in priced:
        if (standing, one) not in shown:
            plot.line(_thinned(one), "behind")
    cut = theoretical(costs)
    bottom = plot.down - plot.bottom
    for place, text in ((cut, "FP/(FP+FN)"), (EVEN, "one half")):
        plot.rule((plot.px(place), plot.top), (plot.px(place), bottom), "mark")
        plot.text(plot.px(place) + 4, bottom - 6, f"{text} = {plain(place)}" if place == cut else text, "note")
    ends = []
    for standing, one in shown:
        role = view.role(standing.candidate)
        plot.band([one.low, one.high], [least, least], [most, most], role)
        plot.line(_thinned(one), role)
        plot.dot(one.best, one.cost.value, role, 5, f"cheapest: {number(one.best)}, cost {number(one.cost.value)}")
        ends.append((one, standing, plot.py(min(one.costs[-1], most))))
    for (_, standing, _), y in zip(ends, spread([y for *_, y in ends], LABEL_GAP, 22, bottom), strict=True):
        plot.text(plot.across - 122, y + 4, view.names[standing.candidate], f"label {view.role(standing.candidate)}")
    table = [_row(view, standing, one) for standing, one in priced]
    says = _says(view, [(standing, one) for standing, one in reversed(shown)], cut)
    return Prices(says, plot.drawn("Expected cost over thresholds"), table)


def _thinned(one: Threshold) -> list[tuple[float, float]]:
    points = list(zip(one.thresholds, one.costs, strict=True))
    every = max(1, len(points) // 120)
    return [*points[:-1:every], points[-1]]


def _row(view: View, standing: Standing, one: Threshold) -> Row:
    return Row(
        label=view.names[standing.candidate],
        role=view.role(standing.candidate),
        threshold=number(one.best),
        threshold_interval=f"({number(one.low)} to {number(one.high)})",
        cost=number(one.cost.value),
        cost_interval=f"({number(one.cost.low)} to {number(one.cost.high)})",
        half=number(one.cost_at_half),
        saved=_saved(one, percent),
        false_positives=percent(one.false_positives),
        false_negatives=percent(one.false_negatives),
    )


def _saved(one: Threshold, text: Callable[[float], str]) -> str:
    return text(1 - one.cost.value / one.cost_at_half) if one.cost_at_half > 0 else ""


def _says(view: View, shown: list[tuple[Standing, Threshold]], cut: float) -> list[str]:
    costs = view.findings.contest.costs
    if costs is None:
        return []
    opening = (
        f"A false positive costs {plain(costs.false_positive)} and a false negative {plain(costs.false_negative)}. "
        f"Probabilities that are calibrated would be cut at FP/(FP+FN) = {plain(cut)} (Elkan 2001). "
        "Each candidate's threshold was chosen on held-out rows of train and validation and is priced on test; bands "
        "are its 95 % interval."
    )
    said = [opening]
    for standing, one in shown:
        name = view.names.say(standing.candidate)
        rest = ""
        if one.cost_at_half > 0:
            change = 1 - one.cost.value / one.cost_at_half
            rest = f", {percent(abs(change))} {'less' if change >= 0 else 'more'} than cutting at one half"
        said.append(
            f"Cutting {name} at {number(one.best)} costs {number(one.cost.value)} a row{rest}: "
            f"{percent(one.false_positives)} of the rows are false alarms, {percent(one.false_negatives)} are missed."
        )
    return said
