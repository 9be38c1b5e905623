"""The part on more rows: a small picture of each candidate's curve, with its law and what more rows would bring."""

from dataclasses import dataclass

from conf.selecting import Standing
from models.candidates.curves import moves, uncompared
from models.candidates.report.formats import counted, number, short
from models.candidates.report.svg import Plot, picture
from models.candidates.report.view import View

ACROSS, DOWN, POINTS = 230, 150, 24
MORE = 10  # times the rows: so far does a law's line go
FEW = 1000  # rows, below which a point of a curve hangs on which rows it has


@dataclass(frozen=True)
class Panel:
    """One candidate's curve."""

    label: str
    role: str
    svg: str
    now: str
    doubled: str
    tenfold: str
    law: str
    exponent: str


@dataclass(frozen=True)
class Learning:
    """What the part shows; no panels: there are no curves."""

    says: list[str]
    moves: list[str]
    uncompared: str
    panels: list[Panel]
    shared: str


def learning(view: View) -> Learning:
    """Draw all curves on the same axes; the others' lines lie grey behind each."""
    curved = [standing for standing in view.ranked if len(standing.curve.rows) > 1]
    if not curved:
        return Learning([], [], "", [], "")
    last = [standing.curve.values[-1] for standing in curved]
    shown = [view.recommended, view.best]
    extra = [s.curve.law.tenfold for s in shown if s.curve.law is not None]
    extra += [value for s in shown for value in s.curve.values]
    y = view.focus(last, extra)
    rows = [row for standing in curved for row in standing.curve.rows]
    x = (min(rows) * 0.85, max(rows) * MORE)
    panels = [_panel(view, standing, x, y) for standing in curved]
    called: dict[str, str] = {
        standing.candidate: view.names[standing.candidate] for standing in view.findings.standings
    }
    # By name, which of a blind contest is a letter: the order of simplicity would tell who is who.
    standings = sorted(view.findings.standings, key=lambda each: view.names[each.candidate])
    moved = moves(standings, higher_is_better=view.findings.higher_is_better, names=called)
    said = ""
    if alone := uncompared(standings):
        listed = view.names.listed(alone)
        said = f"{listed[0].upper()}{listed[1:]} had no two sizes in common with anybody else."
    return Learning(_says(view, curved), moved, said, panels, _shared(curved, x, y))


def _empty(x: tuple[float, float], y: tuple[float, float]) -> Plot:
    return Plot(ACROSS, DOWN, x, y, x_log=True, left=44, bottom=24, top=8, right=10)


def _shared(curved: list[Standing], x: tuple[float, float], y: tuple[float, float]) -> str:
    """All curves once, as a symbol that every panel shows behind its own."""
    plot = _empty(x, y)
    for standing in curved:
        plot.line(zip(standing.curve.rows, standing.curve.values, strict=True), "behind")
    return f'<svg class="symbols" aria-hidden="true"><defs><g id="others">{"".join(plot.marks)}</g></defs></svg>'


def _panel(view: View, standing: Standing, x: tuple[float, float], y: tuple[float, float]) -> Panel:
    plot, role, learned = _empty(x, y), view.role(standing.candidate), standing.curve
    rows = learned.rows
    plot.axes("", "", x_text=short, y_text=view.metric, x_ticks=[rows[0], rows[-1], rows[-1] * MORE], counts=(3, 3))
    plot.marks.append('<use href="#others"/>')
    law = learned.law
    if law is not None:
        step = (rows[-1] * MORE / rows[0]) ** (1 / POINTS)
        sizes = [rows[0] * step**place for place in range(POINTS + 1)]
        plot.line([(size, law.limit + law.factor * size**-law.exponent) for size in sizes], f"law {role}")
    plot.line(zip(rows, learned.values, strict=True), role)
    for row, value in zip(rows, learned.values, strict=True):
        if y[0] <= value <= y[1]:
            plot.dot(row, value, role, 3, f"{row:,} rows: {view.metric(value)}")
    if not any(y[0] <= value <= y[1] for value in learned.values):
        below = learned.values[-1] < y[0]
        edge = plot.down - plot.bottom - 6 if below else plot.top + 14
        plot.text((plot.left + plot.across) / 2, edge, f"{'below' if below else 'above'} these axes", "note", "middle")
    name = view.names[standing.candidate]
    says = f"Learning curve of {view.names.say(standing.candidate)} from {rows[0]:,} to {rows[-1]:,} rows"
    svg = picture(ACROSS, DOWN, "".join(plot.marks), says)
    now = view.metric(learned.values[-1])
    if law is None:
        return Panel(name, role, svg, now, "", "", "no law fits", "")
    sign = "+" if law.factor > 0 else "\N{MINUS SIGN}"
    text = f"{view.metric(law.limit)} {sign} {number(abs(law.factor))} · rows"
    exponent = f"\N{MINUS SIGN}{law.exponent:.2g}"
    return Panel(name, role, svg, now, view.metric(law.doubled), view.metric(law.tenfold), text, exponent)


def _says(view: View, curved: list[Standing]) -> list[str]:
    title, counts = view.findings.title, [len(standing.curve.rows) for standing in curved]
    rows = [count for standing in curved for count in standing.curve.rows]
    shares = counted(counts[0], "share") if len({*counts}) == 1 else f"{min(counts)} to {max(counts)} shares"
    opening = (
        f"Each candidate learned from {shares} of the rows, from {min(rows):,} to {max(rows):,}, "
        "and was judged on the same held-out rows each time. The dashed line is the fitted power law; it goes on to "
        "ten times the rows. Grey lines are the others."
    )
    said = [opening]
    lawful = [standing for standing in curved if standing.curve.law is not None]
    recommended = view.recommended
    if recommended.curve.law is not None:
        law = recommended.curve.law
        said.append(
            f"With twice the rows, {title} of {view.names.say(recommended.candidate)} is expected to go from "
            f"{view.metric(recommended.curve.values[-1])} to {view.metric(law.doubled)}; with ten times the rows, to "
            f"{view.metric(law.tenfold)}."
        )
    if lawful:
        first = max(lawful, key=lambda one: view.sign * (one.curve.law.tenfold if one.curve.law else 0))
        tenfold = first.curve.law.tenfold if first.curve.law else 0.0
        said.append(
            f"With ten times the rows, {view.names.say(first.candidate)} would be first ({view.metric(tenfold)}), if "
            "its law holds that far; a law that is fitted to so few points is a guess beyond them."
        )
    if lawful and max(rows) < FEW:
        said.append(f"All curves end below {FEW:,} rows: take what more rows would bring as a hint.")
    if lawless := [one.candidate for one in curved if one.curve.law is None]:
        said.append(f"No law fits the {'curve' if len(lawless) == 1 else 'curves'} of {view.names.listed(lawless)}.")
    return said
