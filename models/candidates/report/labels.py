"""Labels beside points and line ends that do not lie upon each other."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.candidates.report.svg import TEXT, Place, width

Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class Label:
    """Where a text goes: its baseline's place, its anchor, and whether a thin line leads to its point."""

    x: float
    y: float
    anchor: str
    led: bool


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move places apart until neighbours are `gap` apart, each as near to where it was wanted as that allows.

    Neighbours that touch become a block around the mean of what they wanted (pool adjacent violators, Barlow et al.
    1972), kept between `low` and `high` as long as they have room there.
    """
    order = sorted(range(len(wanted)), key=lambda place: wanted[place])
    blocks: list[tuple[float, int]] = []  # sum of the wanted starts, members
    for rank, place in enumerate(order):
        block = (wanted[place] - rank * gap, 1)
        while blocks and blocks[-1][0] / blocks[-1][1] > block[0] / block[1]:
            before = blocks.pop()
            block = (before[0] + block[0], before[1] + block[1])
        blocks.append(block)
    starts = [total / members for total, members in blocks for _ in range(members)]
    most = max(low, high - (len(wanted) - 1) * gap)
    placed = [0.0] * len(wanted)
    for rank, place in enumerate(order):
        placed[place] = min(max(starts[rank], low), most) + rank * gap
    return placed


def beside(points: Sequence[Place], texts: Sequence[str], bounds: Box, radius: float = 5) -> list[Label | None]:
    """Place a text near each point, the first ones first; None: there is no room.

    Eight places around the point are tried, then the same farther away with a line that leads there.
    """
    taken: list[Box] = [(x - radius, y - radius, x + radius, y + radius) for x, y in points]
    found: list[Label | None] = []
    for (x, y), text in zip(points, texts, strict=True):
        placed = None
        for distance in (radius + 3, 18, 30, 44, 60, 80, 105, 130):
            for label in _around(x, y, distance, radius):
                box = _box(label, text)
                inside = bounds[0] <= box[0] and bounds[1] <= box[1] and box[2] <= bounds[2] and box[3] <= bounds[3]
                if inside and not any(_meet(box, other) for other in taken):
                    placed = label
                    taken.append(box)
                    break
            if placed:
                break
        found.append(placed)
    return found


def _around(x: float, y: float, distance: float, radius: float) -> list[Label]:
    led = distance > radius + 3
    near, far = distance, 0.75 * distance
    middle = TEXT * 0.35
    return [
        Label(x + near, y + middle, "start", led),
        Label(x - near, y + middle, "end", led),
        Label(x, y - near, "middle", led),
        Label(x, y + near + TEXT * 0.75, "middle", led),
        Label(x + far, y - far, "start", led),
        Label(x - far, y - far, "end", led),
        Label(x + far, y + far + TEXT * 0.7, "start", led),
        Label(x - far, y + far + TEXT * 0.7, "end", led),
    ]


def _box(label: Label, text: str) -> Box:
    wide = width(text)
    left = {"start": label.x, "middle": label.x - wide / 2, "end": label.x - wide}[label.anchor]
    return left, label.y - TEXT * 0.85, left + wide, label.y + TEXT * 0.25


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
