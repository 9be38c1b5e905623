"""Drawings: scales, axes and marks as SVG that lies in the page and takes its colours from the page's style."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from math import ceil, floor, log10

from models.candidates.report.formats import plain

Place = tuple[float, float]
TEXT = 12  # units of a picture, which is shown at most at its own size: pixels
LETTER = 0.6  # of the text's size: mean width of a letter
APART = 4.0  # between two numbers of an axis
DECADES = 1.6  # a logarithmic axis shorter than this has ticks at 2 and 5, too


@dataclass(frozen=True)
class Scale:
    """From values to places on the page."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Place of a value."""
        low, high, seen = (log10(end) if self.log else end for end in (self.low, self.high, value))
        return self.start + (self.end - self.start) * ((seen - low) / (high - low) if high > low else 0.5)

    def ticks(self, wanted: int) -> list[float]:
        """Round values inside, about so many."""
        if self.log:
            powers = range(floor(log10(self.low)), ceil(log10(self.high)) + 1)
            wide = log10(self.high / self.low)
            steps = (1, 2, 5) if wide < DECADES else (1,)
            every = max(1, ceil(wide / wanted)) if wide >= DECADES else 1
            ticks = [step * 10.0**power for power in powers if power % every == 0 for step in steps]
        else:
            rough = (self.high - self.low) / max(1, wanted)
            power = 10.0 ** floor(log10(rough)) if rough > 0 else 1.0
            step = next(power * size for size in (1, 2, 2.5, 5, 10) if power * size >= rough * 0.999)
            first = ceil(self.low / step - 1e-9)
            ticks = [round(place * step, 12) for place in range(first, floor(self.high / step + 1e-9) + 1)]
        return [tick for tick in ticks if self.low * (1 - 1e-12) <= tick <= self.high * (1 + 1e-12) or tick == 0]


def width(text: str, size: float = TEXT) -> float:
    """About how wide a text is."""
    return LETTER * size * len(text)


@dataclass
class Plot:
    """A picture with one pair of axes.

    Attributes:
        across: size in units.
        down: size in units.
        x: low and high, and whether on a logarithmic scale.
        y: low and high.
        left: room for the labels of y; right, top and bottom likewise.

    """

    across: float
    down: float
    x: tuple[float, float]
    y: tuple[float, float]
    x_log: bool = False
    left: float = 52
    right: float = 12
    top: float = 10
    bottom: float = 40
    marks: list[str] = field(default_factory=list)

    @property
    def px(self) -> Scale:
        """Scale from left to right."""
        return Scale(*self.x, self.left, self.across - self.right, self.x_log)

    @property
    def py(self) -> Scale:
        """Scale from bottom to top."""
        return Scale(*self.y, self.down - self.bottom, self.top)

    def axes(
        self,
        x_title: str,
        y_title: str,
        *,
        x_text: Callable[[float], str] = plain,
        y_text: Callable[[float], str] = plain,
        x_ticks: Sequence[float] | None = None,
        counts: tuple[int, int] = (6, 5),
    ) -> None:
        """Draw grid, ticks and the names of both axes; that of y stands above it, to be read straight."""
        bottom, right = self.down - self.bottom, self.across - self.right
        for tick in self.py.ticks(counts[1]):
            self.marks.append(
                f'<line class="grid" x1="{self.left}" x2="{right}" y1="{_n(self.py(tick))}" y2="{_n(self.py(tick))}"/>'
            )
            self.text(self.left - 6, self.py(tick) + 4, y_text(tick), "tick", "end")
        self.marks.append(f'<line class="axis" x1="{self.left}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
        free = 0.0  # from where on there is room for a number
        for tick in self.px.ticks(counts[0]) if x_ticks is None else x_ticks:
            place = self.px(tick)
            self.marks.append(f'<line class="axis" x1="{_n(place)}" x2="{_n(place)}" y1="{bottom}" y2="{bottom + 4}"/>')
            text = x_text(tick)
            half = width(text) / 2
            middle = min(max(place, half), self.across - half)
            if middle - half >= free:
                self.text(middle, bottom + 17, text, "tick", "middle")
                free = middle + half + APART
        if x_title:
            self.text((self.left + right) / 2, self.down - 5, x_title, "title", "middle")
        if y_title:
            self.text(2, 12, y_title, "title", "start")

    def line(self, points: Iterable[Place], look: str) -> None:
        """Draw a line through points in values; what lies outside the axes is cut off."""
        path = " ".join(f"{_n(self.px(x))},{_n(self.py(y))}" for x, y in points)
        self.marks.append(self._cut(f'<polyline class="line {look}" points="{path}"/>'))

    def band(self, xs: Sequence[float], lows: Sequence[float], highs: Sequence[float], look: str) -> None:
        """Fill between two lines."""
        there = [f"{_n(self.px(x))},{_n(self.py(y))}" for x, y in zip(xs, highs, strict=True)]
        back = [f"{_n(self.px(x))},{_n(self.py(y))}" for x, y in zip(reversed(xs), reversed(lows), strict=True)]
        self.marks.append(self._cut(f'<polygon class="band {look}" points="{" ".join(there + back)}"/>'))

    def dot(self, x: float, y: float, look: str, radius: float = 4, title: str = "") -> None:
        """Draw a dot at values."""
        said = f"<title>{escape(title)}</title>" if title else ""
        self.marks.append(
            f'<circle class="dot {look}" cx="{_n(self.px(x))}" cy="{_n(self.py(y))}" r="{radius}">{said}</circle>'
        )

    def rule(self, one: Place, other: Place, look: str) -> None:
        """Draw a straight line between places of the page."""
        self.marks.append(
            f'<line class="{look}" x1="{_n(one[0])}" y1="{_n(one[1])}" x2="{_n(other[0])}" y2="{_n(other[1])}"/>'
        )

    def text(self, x: float, y: float, text: str, look: str, anchor: str = "start") -> None:
        """Write at a place of the page."""
        self.marks.append(f'<text class="{look}" x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}">{escape(text)}</text>')

    def drawn(self, says: str) -> str:
        """Give the SVG, with a sentence for those who do not see it."""
        return picture(self.across, self.down, "".join(self.marks), says)

    def _cut(self, mark: str) -> str:
        """Cut a mark off at the axes: an inner picture of their size, in which places stay what they are."""
        wide, high = self.across - self.left - self.right, self.down - self.top - self.bottom
        box = f"{self.left:g} {self.top:g} {wide:g} {high:g}"
        x, y, *_ = box.split()
        return f'<svg x="{x}" y="{y}" width="{wide:g}" height="{high:g}" viewBox="{box}">{mark}</svg>'


def picture(across: float, down: float, marks: str, says: str) -> str:
    """Wrap marks into an SVG of a size, which shrinks with the page but does not grow."""
    return (
        f'<svg class="drawn" role="img" viewBox="0 0 {across:g} {down:g}" style="max-width:{across:g}px" '
        f'aria-label="{escape(says)}"><title>{escape(says)}</title>{marks}</svg>'
    )


def _n(place: float) -> str:
    return f"{place:.1f}"
