"""The part on explanations: what each candidate leans on, and which way."""

from dataclasses import dataclass

from conf.selecting import Dependence, Explanation, Weight
from models.candidates.report.formats import fixed, listed, number
from models.candidates.report.svg import Plot, picture, width
from models.candidates.report.view import View

BARS, SHOWN_COEFFICIENTS = 12, 15
ACROSS, DOWN, BAR = 270, 170, 22
MOST_LETTERS = 30


@dataclass(frozen=True)
class Reason:
    """One candidate's explanation."""

    label: str
    role: str
    says: str
    importance: str
    coefficients: str
    more: str
    dependence: list[tuple[str, str]]


@dataclass(frozen=True)
class Reasons:
    """What the part shows: in full, and folded."""

    says: list[str]
    full: list[Reason]
    folded: list[Reason]


def reasons(view: View) -> Reasons:
    """Draw the explanations of the recommended and the best in full, the others' folded."""
    place = {standing.candidate: rank for rank, standing in enumerate(view.ranked)}
    known = sorted(view.findings.explanations, key=lambda one: place.get(one.candidate, len(place)))
    if not known:
        return Reasons([], [], [])
    most = max(one.rows for one in known)
    made = {one.candidate: _reason(view, one, most) for one in known}
    first = [name for name in (view.recommended.candidate, view.best.candidate) if name in made]
    full = [made[name] for name in dict.fromkeys(first)]
    folded = [reason for name, reason in made.items() if name not in first]
    opening = (
        f"Importance: how much worse {view.findings.title} gets when a column's values are shuffled among the same "
        "held-out rows (Breiman 2001; whiskers: standard error over repetitions). Columns that say the same share "
        "their importance, so each may seem to matter little."
    )
    said = [opening]
    if view.names.blind:
        said.append("Dependence and everything that only some candidates have are hidden until the choice.")
    else:
        said.append(
            "Dependence: the candidate's average answer when all rows have the same value in that column (Friedman "
            "2001); it says what the candidate does, not what causes what."
        )
    return Reasons(said, full, folded)


def _reason(view: View, one: Explanation, most: int) -> Reason:
    blind, role = view.names.blind, view.role(one.candidate)
    idle = not any(weight.value for weight in one.importance)  # a baseline, of which all pictures are flat
    shown = [] if blind or idle else one.dependence
    scores = [score for depends in shown for score in depends.scores]
    ends = (min(scores, default=0.0), max(scores, default=1.0))
    drawn = [] if idle else one.importance
    left = len(drawn) - BARS
    more = [f"{left} columns matter less and are not drawn."] if left > 0 else []
    if one.rows < most:
        more.append(f"It predicts slowly, so {one.rows:,} of the {most:,} rows were looked at.")
    return Reason(
        label=view.names[one.candidate],
        role=role,
        says=_says(view, one),
        importance=_bars(drawn[:BARS], role, f"importance of columns for {view.names.say(one.candidate)}"),
        coefficients=""
        if blind
        else _bars(one.coefficients[:SHOWN_COEFFICIENTS], role, f"coefficients of {view.names[one.candidate]}"),
        more=" ".join(more),
        dependence=[(depends.name, _drawn(depends, role, ends)) for depends in shown],
    )


def _says(view: View, one: Explanation) -> str:
    name = view.names.say(one.candidate)
    name = name[0].upper() + name[1:]
    if not one.importance:
        return f"The held-out rows do not define {view.findings.title}, so {name} has no importances."
    strong = [weight for weight in one.importance if weight.value > max(2 * weight.error, 0.0)]
    if not strong:
        return f"{name} leans on no column: shuffling any of them changes nothing beyond chance."
    return (
        f"{name} leans most on {listed([weight.name for weight in strong[:3]])}; with {strong[0].name} shuffled, "
        f"{view.findings.title} gets worse by {number(strong[0].value)}."
    )


def _bars(weights: list[Weight], role: str, says: str) -> str:
    """Horizontal bars from zero, each with its name, number and error."""
    if not weights:
        return ""
    names = [_cut(weight.name) for weight in weights]
    left = min(220.0, max(width(name) for name in names) + 10)
    ends = [edge for one in weights for edge in (one.value - one.error, one.value + one.error)]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    across, room = 520.0, 64.0
    span = (across - left - room - (room if low < -0.05 * (high - low) else 4)) / ((high - low) or 1.0)
    zero = left + (room if low < -0.05 * (high - low) else 4) - low * span
    marks = []
    digits = _digits(weights)
    for place, (name, weight) in enumerate(zip(names, weights, strict=True)):
        y = place * BAR + 4
        start, end = sorted((zero, zero + weight.value * span))
        marks.append(
            f'<rect class="bar {role}" x="{start:.1f}" y="{y}" width="{max(0.5, end - start):.1f}" height="{BAR - 8}"/>'
        )
        middle = y + (BAR - 8) / 2
        tip = zero + weight.value * span
        if weight.error > 0:
            marks.append(
                f'<line class="whisker dark" x1="{tip - weight.error * span:.1f}" x2="{tip + weight.error * span:.1f}" '
                f'y1="{middle:.1f}" y2="{middle:.1f}"/>'
            )
        negative = weight.value < 0 and -weight.value * span > room / 2
        reach = zero + (weight.value - weight.error if negative else weight.value + weight.error) * span
        anchor = "end" if negative else "start"
        marks.append(_text(reach + (-5 if negative else 5), middle + 4, fixed(weight.value, digits), "tick", anchor))
        marks.append(_text(left - 8, middle + 4, name, "name", "end"))
    down = len(weights) * BAR
    marks.append(f'<line class="axis" x1="{zero:.1f}" x2="{zero:.1f}" y1="0" y2="{down}"/>')
    return picture(across, down, "".join(marks), says)


def _digits(weights: list[Weight]) -> int:
    """Decimals at which the largest has three digits."""
    text = number(max(abs(weight.value) for weight in weights))
    return min(6, len(text.partition(".")[2])) if "e" not in text else 6


def _text(x: float, y: float, text: str, look: str, anchor: str) -> str:
    plot = Plot(1, 1, (0, 1), (0, 1))
    plot.text(x, y, text, look, anchor)
    return plot.marks[0]


def _cut(name: str) -> str:
    return name if len(name) <= MOST_LETTERS else name[: MOST_LETTERS - 1] + "…"


def _drawn(one: Dependence, role: str, ends: tuple[float, float]) -> str:
    """Draw one column's dependence on the axis that all of a candidate's share."""
    says = f"Average answer over {one.name}"
    low, high = ends
    room = 0.1 * (high - low) or 0.1 * abs(high) or 1.0
    numbers = [value for value in one.grid if not isinstance(value, str)]
    if len(numbers) == len(one.grid):
        plot = Plot(ACROSS, DOWN, (min(numbers), max(numbers)), (low - room, high + room), left=48, bottom=24)
        plot.axes("", "", counts=(4, 4))
        plot.line(zip(numbers, one.scores, strict=True), role)
        for x, y in zip(numbers, one.scores, strict=True):
            plot.dot(x, y, role, 2.5, f"{number(x)}: {number(y)}")
        return plot.drawn(says)
    names = [_cut(str(level)) for level in one.grid]
    left = min(150.0, max(width(name) for name in names) + 12)
    plot = Plot(
        ACROSS, len(names) * 18 + 34, (low - room, high + room), (-0.5, len(names) - 0.5), left=left, bottom=24, top=4
    )
    plot.axes("", "", counts=(3, 0), y_text=lambda _: "")
    for place, (name, score) in enumerate(zip(names, one.scores, strict=True)):
        y = plot.py(len(names) - 1 - place)
        plot.rule((plot.left, y), (plot.across - plot.right, y), "grid")
        plot.text(plot.left - 8, y + 4, name, "name", "end")
        plot.dot(score, len(names) - 1 - place, role, 4.5, f"{name}: {number(score)}")
    return plot.drawn(says)
