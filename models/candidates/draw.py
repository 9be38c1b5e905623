"""Small SVG pictures for the report: how they begin, how they look, where they go."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from models.evaluation.figures.page import INK, polish

INCHES = (5.2, 3.3)
TICK = 28  # letters that a name beside an axis has room for


def sketch(title: str, x: str, y: str, inches: tuple[float, float] = INCHES) -> tuple[Figure, Axes]:
    """Begin a picture of one pair of axes under its title.

    Args:
        title: a few words, no name of a candidate: a blind report hides them.
        x: what lies to the right, with its unit.
        y: what lies upwards, with its unit.
        inches: width and height.

    """
    figure = Figure(figsize=inches, facecolor="white", layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    polish(axes, plain(x), plain(y))
    axes.set_title(plain(title), loc="left", fontsize=11, fontweight="bold", color=INK)
    return figure, axes


def plain(text: str, most: int = 60) -> str:
    """Text as it is, shortened: between two dollars matplotlib would read mathematics."""
    return (text if len(text) <= most else f"{text[: most - 1]}…").replace("$", r"\$")


def explain(figure: Figure) -> None:
    """Say below what is what: there it covers no data."""
    figure.legend(loc="outside lower center", frameon=False, fontsize=9, ncols=3, columnspacing=1.4, handlelength=2.2)


def save(figure: Figure, folder: Path, name: str) -> str:
    """Write `NAME.svg` into `folder`, made if need be, and give its path in there.

    Text stays text, so it can be searched and read aloud; the same picture is the same bytes.
    """
    path = folder / f"{name}.svg"
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(path, format="svg", metadata={"Date": None})
    return f"{name}.svg"
