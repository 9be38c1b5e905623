"""Spaces of any shape become distributions and grid points that stay inside them."""

import json

from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution

from conf.schema import Choices, Range
from models.search.space import decode, distribution, points

choices = st.lists(
    st.integers() | st.floats(allow_nan=False) | st.text() | st.lists(st.integers(1, 512), max_size=3), min_size=1
).map(lambda values: Choices(choices=values))


@st.composite
def ranges(draw: st.DrawFn) -> Range:
    log = draw(st.booleans())
    edges = st.floats(1e-9 if log else -1e6, 1e6)
    low, high = sorted(draw(st.lists(edges, min_size=2, max_size=2, unique=True)))
    return Range(low=low, high=high, log=log, steps=draw(st.integers(1, 20)))


@given(ranges())
def test_points_of_a_range_ascend_from_end_to_end(values: Range) -> None:
    spaced = [decode(values, point) for point in points(values)]
    assert len(spaced) == values.steps
    assert spaced == sorted(spaced)
    assert all(isinstance(point, float) and values.low <= point <= values.high for point in spaced)
    if values.steps > 1:
        assert (spaced[0], spaced[-1]) == (values.low, values.high)


@given(ranges())
def test_a_range_is_a_float_distribution(values: Range) -> None:
    found = distribution(values)
    assert isinstance(found, FloatDistribution)
    assert (found.low, found.high, found.log) == (values.low, values.high, values.log)


@given(choices)
def test_choices_come_back_as_they_were(values: Choices) -> None:
    texts = points(values)
    assert [decode(values, text) for text in texts] == [json.loads(str(text)) for text in texts]
    assert {json.dumps(choice) for choice in values.choices} == set(texts)
    found = distribution(values)
    assert isinstance(found, CategoricalDistribution)
    assert list(found.choices) == texts
