"""Pictures of groups of values, as SVG: a dendrogram, and a map of their two main directions."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import dendrogram

from conf.segmenting import Floats
from conf.selecting import Segments, Sketch

# That of the figures of evaluation, whose module imports torch.
CYCLE = ("#1f5a99", "#d1495b", "#2e8b6f", "#e09f3e", "#6d597a", "#3fa7d6", "#8c564b", "#b5179e")
INK, QUIET = "#22262b", "#8a8f98"
# Names stay text that can be searched; the same picture is the same file.
LOOK: Any = {"svg.fonttype": "none", "svg.hashsalt": "franklin"}
NAME_LENGTH = 28  # characters of a name
LETTER = (4.3, 8.0)  # points of one, wide and high, on a map
LEAF, WIDTH, FOOT = 0.17, 8.0, 1.0  # inches


def draw(made: Segments, folder: Path) -> None:
    """Draw groups into `folder`: hierarchical ones as a dendrogram, others as a map."""
    if made.sketch.tree is None:
        _draw_map(made, made.sketch, folder / made.figure)
    else:
        _draw_dendrogram(made, made.sketch.names, np.asarray(made.sketch.tree), folder / made.figure)


def _draw_dendrogram(made: Segments, names: Sequence[str], tree: Floats, path: Path) -> None:
    """Draw a tree of merges with the values' names, each in its group's colour."""
    colour = _colours(made)
    of = [colour[name] for name in names]
    below: list[set[str]] = [{each} for each in of]
    for left, right in tree[:, :2].astype(int):
        below.append(below[left] | below[right])
    whole = [next(iter(each)) if len(each) == 1 else QUIET for each in below]
    figure = Figure(figsize=(WIDTH, FOOT + LEAF * len(of)), facecolor="white", layout="constrained")
    axes = figure.add_subplot()
    drawn = dendrogram(
        tree,
        ax=axes,
        orientation="left",
        labels=[_short(name) for name in names],
        link_color_func=lambda node: whole[node],
        leaf_font_size=8,
    )
    for text, leaf in zip(axes.get_yticklabels(), drawn["leaves"], strict=True):
        text.set_color(of[leaf])
        text.set_parse_math(False)  # names with two dollars are no formulas
    axes.set_title(f"{made.column}: values merged by what their rows are like (Ward)", fontsize=11, color=INK)
    axes.set_xlabel("distance at which two groups are merged", fontsize=9, color=INK)
    axes.spines[["top", "right", "left"]].set_visible(False)
    _save(figure, path)


def _draw_map(made: Segments, sketch: Sketch, path: Path) -> None:
    """Draw values at their first two principal components, each in its group's colour.

    They have their names where there is room, the most frequent first.
    """
    places, shares, names = np.asarray(sketch.places), sketch.shares, sketch.names
    colour = _colours(made)
    figure = Figure(figsize=(WIDTH, 6), facecolor="white", layout="constrained")
    axes = figure.add_subplot()
    for number, group in enumerate(made.groups):
        at = np.isin(names, group)
        axes.scatter(
            places[at, 0],
            places[at, 1],
            s=18,
            color=CYCLE[number % len(CYCLE)],
            label=f"group {number + 1} ({len(group)})",
        )
    for place, name in _apart(figure, axes.transData.transform(places), names):
        axes.annotate(
            _short(name),
            places[place],
            (3, 2),
            textcoords="offset points",
            fontsize=7,
            color=colour[name],
            parse_math=False,
        )
    axes.set_title(f"{made.column}: values by what their rows are like ({made.method})", fontsize=11, color=INK)
    axes.set_xlabel(f"first principal component ({shares[0]:.0%} of the variance)", fontsize=9, color=INK)
    axes.set_ylabel(f"second ({shares[1]:.0%})", fontsize=9, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False)
    _save(figure, path)


def _apart(figure: Figure, pixels: Any, names: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Give the places and names that do not lie over one another, the most frequent first."""
    taken: list[tuple[float, float, float]] = []
    wide, high = (points * figure.dpi / 72 for points in LETTER)
    for place, name in enumerate(names):
        (left, low), width = pixels[place], wide * len(_short(name))
        if all(left + width < x or x + w < left or abs(low - y) > high for x, y, w in taken):
            taken.append((left, low, width))
            yield place, name


def _colours(made: Segments) -> dict[str, str]:
    return {name: CYCLE[number % len(CYCLE)] for number, group in enumerate(made.groups) for name in group}


def _short(name: str) -> str:
    return name if len(name) <= NAME_LENGTH else f"{name[: NAME_LENGTH - 1]}…"


def _save(figure: Figure, path: Path) -> None:
    FigureCanvasSVG(figure)
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(LOOK):
        figure.savefig(path, format="svg", metadata={"Date": None})
