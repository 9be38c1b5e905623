"""A front has all that nobody beats, and nobody else."""

from hypothesis import given, settings
from hypothesis import strategies as st

from conf.contests import CANDIDATES
from conf.selecting import Standing
from models.candidates.fronts import PRICES, Point, front
from tests.models.candidates.findings import binary

KNOWN = {standing.candidate: standing for standing in binary().standings}
pairs = st.lists(st.tuples(st.integers(1, 8), st.integers(0, 8)), min_size=1, max_size=19)


def _standings(made: list[tuple[int, int]]) -> list[Standing]:
    return [
        KNOWN[name].model_copy(update={"mean": float(value), "size_bytes": size})
        for name, (size, value) in zip(CANDIDATES, made, strict=False)
    ]


def _beats(one: Point, other: Point, sign: int) -> bool:
    better, no_worse = sign * one.value > sign * other.value, sign * one.value >= sign * other.value
    return (better and one.price <= other.price) or (no_worse and one.price < other.price)


@given(made=pairs, higher=st.booleans())
def test_on_the_front_is_who_is_not_beaten(made: list[tuple[int, int]], *, higher: bool) -> None:
    points = front(_standings(made), "size_bytes", higher_is_better=higher)
    sign = 1 if higher else -1
    assert len(points) == len(made)
    for point in points:
        assert point.front == (not any(_beats(other, point, sign) for other in points))


@settings(max_examples=30)
@given(pairs, st.randoms())
def test_the_order_of_candidates_does_not_matter(made: list[tuple[int, int]], randoms: object) -> None:
    standings = _standings(made)
    shuffled = standings[:]
    randoms.shuffle(shuffled)

    def on_front(given: list[Standing]) -> set[str]:
        return {point.candidate for point in front(given, "size_bytes", higher_is_better=True) if point.front}

    assert on_front(shuffled) == on_front(standings)


def test_who_fell_out_is_on_no_front() -> None:
    for price in PRICES:
        points = front(list(KNOWN.values()), price, higher_is_better=True)
        assert {point.candidate for point in points} == KNOWN.keys() - {"linear_regression", "ft_transformer"}
        assert [point.price for point in points] == sorted(point.price for point in points)
        assert max(points, key=lambda point: point.value).front
