"""Bars of the leaderboard: a candidate's mean and interval on an axis that all lines share."""

from conf.selecting import Standing
from models.candidates.report.svg import Scale, picture
from models.candidates.report.view import View

ACROSS, DOWN = 120, 18


def bar(view: View, standing: Standing) -> str:
    """Draw mean and 95 % interval; an arrow says that both lie beyond the axis."""
    axis = _axis(view)
    mean = standing.mean or 0.0
    role, middle = view.role(standing.candidate), DOWN / 2
    marks = [f'<line class="grid" x1="0" x2="{ACROSS}" y1="{middle}" y2="{middle}"/>']
    leader = view.ranked[0].mean or 0.0
    marks.append(f'<line class="mark" x1="{axis(leader):.1f}" x2="{axis(leader):.1f}" y1="0" y2="{DOWN}"/>')
    if axis.low <= mean <= axis.high:
        ends = [max(axis.low, min(axis.high, end)) for end in (standing.low, standing.high) if end is not None]
        if ends:
            low, high = (axis(end) for end in (min(ends), max(ends)))
            marks.append(f'<line class="whisker {role}" x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}"/>')
        marks.append(f'<circle class="dot {role}" cx="{axis(mean):.1f}" cy="{middle}" r="4"/>')
    else:
        at, tip = (10, 2) if mean < axis.low else (ACROSS - 10, ACROSS - 2)
        marks.append(f'<path class="arrow" d="M{at},4 L{tip},{middle} L{at},{DOWN - 4} z"/>')
    says = f"{view.metric(mean)}"
    if standing.low is not None and standing.high is not None:
        says += f", from {view.metric(standing.low)} to {view.metric(standing.high)}"
    return picture(ACROSS, DOWN, "".join(marks), says)


def scale(view: View) -> tuple[str, str]:
    """Numbers at both ends of the shared axis."""
    axis = _axis(view)
    return view.metric(axis.low), view.metric(axis.high)


def _axis(view: View) -> Scale:
    shown = [view.recommended, view.best]
    ends = [end for one in shown for end in (one.low, one.high) if end is not None]
    low, high = view.focus([one.mean or 0.0 for one in view.ranked], ends)
    return Scale(low, high, 6, ACROSS - 6)
