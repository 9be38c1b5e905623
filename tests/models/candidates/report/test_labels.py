"""Labels do not lie upon each other."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.candidates.report.labels import beside, spread
from models.candidates.report.svg import Scale, width


@given(st.lists(st.floats(-50, 450), min_size=1, max_size=19))
def test_spread_places_keep_their_order_and_their_distance(wanted: list[float]) -> None:
    placed = spread(wanted, 15, 0, 400)
    ordered = sorted(range(len(wanted)), key=lambda place: wanted[place])
    gaps = [placed[late] - placed[early] for early, late in pairwise(ordered)]
    assert all(gap >= 15 - 1e-9 for gap in gaps)
    assert min(placed) >= -1e-9
    assert max(placed) <= 400 + 1e-9


@given(st.lists(st.integers(0, 20), min_size=1, max_size=10, unique=True))
def test_places_far_enough_apart_stay(wanted: list[int]) -> None:
    assert spread([float(20 * place) for place in wanted], 15, 0, 400) == [20 * place for place in wanted]


@given(
    st.lists(
        st.tuples(st.floats(0, 500), st.floats(0, 300), st.text("ab", min_size=1, max_size=16)), min_size=1, max_size=19
    )
)
def test_labels_beside_points_do_not_meet(made: list[tuple[float, float, str]]) -> None:
    points, texts = [(x, y) for x, y, _ in made], [text for *_, text in made]
    boxes = []
    for label, text in zip(beside(points, texts, (0, 0, 500, 300)), texts, strict=True):
        if label is not None:
            left = {"start": label.x, "middle": label.x - width(text) / 2, "end": label.x - width(text)}[label.anchor]
            boxes.append((left, label.y - 10, left + width(text), label.y + 2))
    assert all(box[0] >= -1e-6 and box[2] <= 500 + 1e-6 for box in boxes)
    for place, one in enumerate(boxes):
        for other in boxes[:place]:
            assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 8))
def test_ticks_are_inside_and_few(low: float, span: float, wanted: int) -> None:
    scale = Scale(low, low + span, 0, 100)
    ticks = scale.ticks(wanted)
    assert len(ticks) <= wanted + 2
    assert all(-1e-6 <= scale(tick) <= 100 + 1e-6 for tick in ticks if tick)


def test_logarithmic_ticks_are_powers_or_halves_of_them() -> None:
    assert Scale(0.5, 2_000, 0, 1, log=True).ticks(6) == pytest.approx([1, 10, 100, 1_000])
    assert Scale(1.5, 30, 0, 1, log=True).ticks(6) == pytest.approx([2, 5, 10, 20])
