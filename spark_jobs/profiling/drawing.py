"""Small pictures of a column as inline SVG: train filled, validation and test as lines over it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

from conf.manifest import SPLITS, SplitName
from conf.profile import NumberProfile, Words

WIDTH, HEIGHT, FOOT = 300, 48, 13  # pixels
ROW, SHOWN, NAME, CUT = 13, 6, 110, 18  # height of a bar, bars, pixels and characters of a word
MANY, MINUTE = 10_000, 16


def histogram(profile: NumberProfile) -> str:
    """Draw the share of each split in each bin."""
    counts = {split: one.histogram for split, one in profile.splits.items()}
    most = max((rows / sum(of) for of in counts.values() if sum(of) for rows in of), default=0)
    if not most:
        return ""
    lines = {split: _steps(of, most) for split, of in counts.items() if sum(of)}
    drawn = [f'<path class="{split}" d="{lines[split]}"/>' for split in SPLITS if split in lines]
    return _svg(HEIGHT + FOOT, [*drawn, *_ends(profile)])


def bars(values: Sequence[str], splits: dict[SplitName, Words], rows: dict[SplitName, int]) -> str:
    """Draw the share of each split that has each of the most frequent words."""
    shares = {split: [one.counts[i] / rows[split] for i in range(len(values))] for split, one in splits.items()}
    shown = sorted(range(len(values)), key=lambda i: (-max(of[i] for of in shares.values()), i))[:SHOWN]
    most = max((of[i] for of in shares.values() for i in shown), default=0)
    if not most:
        return ""
    drawn = []
    for place, i in enumerate(sorted(shown)):
        y, word = place * ROW, values[i] if len(values[i]) <= CUT else values[i][: CUT - 1] + "…"
        x = {split: round(NAME + 2 + (WIDTH - NAME - 36) * of[i] / most, 1) for split, of in shares.items()}
        drawn += [
            f'<text x="{NAME - 4}" y="{y + 10}" text-anchor="end">{escape(word)}</text>',
            f'<rect class="train" x="{NAME}" y="{y + 2}" width="{x["train"] - NAME:.1f}" height="9"/>',
            *(f'<path class="{s}" d="M{x[s]} {y + 1}v11"/>' for s in ("validation", "test")),
            f'<text x="{max(x.values()) + 4}" y="{y + 10}">{shares["train"][i]:.1%}</text>',
        ]
    return _svg(ROW * len(shown) + 1, drawn)


def number(value: float | None) -> str:
    """Four significant digits; large ones with thousands apart."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= MANY else f"{value:.4g}"


def moment(seconds: float | None) -> str:
    """Write a time (seconds since 1970, UTC) to the minute, or its day alone if it is midnight."""
    if seconds is None:
        return "-"
    told = datetime.fromtimestamp(seconds, UTC).isoformat(" ")[:MINUTE]
    return told.removesuffix(" 00:00")


def _steps(counts: Sequence[int], most: float) -> str:
    """Return the outline of bars as an SVG path."""
    width, total = WIDTH / len(counts), sum(counts)
    tops = [HEIGHT - 1 - (HEIGHT - 3) * rows / total / most for rows in counts]
    return (
        f"M0 {HEIGHT - 1}" + "".join(f"V{y:.1f}H{(i + 1) * width:.1f}" for i, y in enumerate(tops)) + f"V{HEIGHT - 1}"
    )


def _ends(profile: NumberProfile) -> list[str]:
    """Write where the first and the last inner edge are; with a bin for each value, the outermost values."""
    say = moment if profile.kind == "time" else number
    bins, y = len(profile.edges) + 1, HEIGHT + FOOT - 3
    low = profile.splits["train"].low
    if not profile.edges:
        return [f'<text x="{WIDTH / 2}" y="{y}" text-anchor="middle">{say(low)}</text>']
    first, last = (low, WIDTH) if profile.each else (profile.edges[0], WIDTH * (bins - 1) / bins)
    start = 0 if profile.each else WIDTH / bins
    return [
        f'<text x="{start:.0f}" y="{y}">{say(first)}</text>',
        f'<text x="{last:.0f}" y="{y}" text-anchor="end">{say(profile.edges[-1])}</text>',
    ]


def _svg(height: int, drawn: Sequence[str]) -> str:
    return f'<svg width="{WIDTH}" height="{height}" role="img">{"".join(drawn)}</svg>'
