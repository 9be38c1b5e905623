"""Every rule that is there is found, with the counts that counting by hand gives, and no rule that adds nothing."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom
from sklearn.datasets import load_iris, load_wine

from conf.associating import CHANCE, GAIN, MOST, Bar, edges_of, number_items
from conf.selecting import Rule
from models.candidates.rows import Rows
from models.unlabelled.rules import levels, packed, rules, seek
from tests.models.unlabelled.tables import table

LEVELS = ["a", "b", "c"]
NAMES = {"city": LEVELS, "day": LEVELS, "way": LEVELS, "sky": LEVELS}
Sets = dict[frozenset[str], tuple[int, int]]


def counted(rows: Rows, code: int, longest: int) -> Sets:
    """The counts of all sets of categories, one by one."""
    baskets = [
        ({f"{name} = {LEVELS[c - 3]}" for name, c in zip(rows.columns.codes, row, strict=True)}, y == code)
        for row, y in zip(rows.codes, rows.label, strict=True)
    ]
    every = sorted(set().union(*(items for items, _ in baskets)))
    chosen = [frozenset(s) for length in range(longest + 1) for s in combinations(every, length)]
    found = {s: [hit for items, hit in baskets if s <= items] for s in chosen}
    return {s: (len(hits), sum(hits)) for s, hits in found.items()}


def by_hand(rows: Rows, code: int, support: float, gain: float, longest: int) -> Iterator[tuple[frozenset[str], Rule]]:
    """All rules with enough support that are surer than each of their parts."""
    sets = counted(rows, code, longest)
    whole = sets[frozenset()]
    for items, (n, hits) in sets.items():
        if items and n and hits >= max(1, support * len(rows) - 1e-9) and whole[1] < len(rows):
            parts = [sets[frozenset(p)] for k in range(len(items)) for p in combinations(items, k)]
            ratio = hits * len(rows) / n / whole[1]
            if ratio >= gain and all(hits * m > h * n and hits / n >= gain * h / m for m, h in parts):
                rule = Rule(when=[*items], then="", support=hits / len(rows), confidence=hits / n, lift=ratio)
                yield items, rule


def twins(rows: Rows) -> set[frozenset[str]]:
    """Pairs of categories that the same rows have."""
    has = {
        f"{name} = {LEVELS[c]}": tuple(rows.codes[:, i] == c + 3)
        for i, name in enumerate(rows.columns.codes)
        for c in range(3)
    }
    return {frozenset(pair) for pair in combinations(has, 2) if has[pair[0]] == has[pair[1]] and any(has[pair[0]])}


@settings(max_examples=60)
@given(
    codes=st.lists(st.tuples(*[st.integers(0, 2)] * 4), min_size=8, max_size=90),
    seed=st.integers(0, 1000),
    support=st.sampled_from([0.0, 0.03, 0.1, 0.3]),
    gain=st.sampled_from([1.0, 1.1, 1.5]),
    longest=st.integers(1, 4),
)
def test_as_by_hand(codes: list[tuple[int, ...]], seed: int, support: float, gain: float, longest: int) -> None:
    generator = np.random.default_rng(seed)
    drawn = np.asarray(codes)
    label = (drawn[:, 0] == 1) ^ (drawn[:, 1] == 2) ^ (generator.random(len(drawn)) < 0.2)
    rows = table(np.zeros((len(drawn), 0)), drawn, label, "binary", code_names=[*NAMES], classes=["no", "yes"])
    found = rules(rows, NAMES, support=support, bar=Bar(0, gain, gain, 1), longest=longest, most=10**6)
    truth = dict(by_hand(rows, 1, support, gain, longest))
    mine = {frozenset(each.when): each for each in found}
    assert len(mine) == len(found)
    same = twins(rows)
    for items, rule in mine.items():
        wanted = truth[items]
        assert rule.then == "label = yes"
        assert (rule.support, rule.confidence) == (wanted.support, wanted.confidence)
        assert rule.lift == pytest.approx(wanted.lift)
    # What is not told has a twin in it that stands for both.
    assert all(any(pair & items for pair in same) for items in truth.keys() - mine.keys())
    assert [each.lift for each in found] == sorted((each.lift for each in found), reverse=True)


@settings(max_examples=60)
@given(
    codes=st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=20, max_size=90),
    tied=st.floats(0.0, 1.0),
    seed=st.integers(0, 999),
    longest=st.integers(2, 4),
)
def test_item_sets_are_those_by_hand(codes: list[tuple[int, ...]], tied: float, seed: int, longest: int) -> None:
    drawn, generator = np.asarray(codes), np.random.default_rng(seed)
    copied = np.where(generator.random(len(drawn)) < tied, drawn[:, 0], generator.integers(0, 3, len(drawn)))
    columns, number = np.c_[drawn, copied], len(drawn)
    told, turned = (
        {
            frozenset(each.items): (each.support, each.lift)
            for each in seek(
                table(np.zeros((number, 0)), coded, copied > 0, "binary", code_names=names, classes=["n", "y"]),
                NAMES,
                support=0.1,
                longest=longest,
            ).sets
        }
        for coded, names in ((columns, [*NAMES]), (columns[:, ::-1], [*NAMES][::-1]))
    )
    rows = table(np.zeros((number, 0)), columns, copied > 0, "binary", code_names=[*NAMES], classes=["n", "y"])
    has = {items: count for items, (count, _) in counted(rows, 1, longest).items() if items and count >= 0.1 * number}
    free = {items for items in has if all(has[items] < has[items - {one}] for one in items if len(items) > 1)}
    tried = [items for items in has if len(items) > 1 and all(items - {one} in free for one in items)]
    wanted = {}
    for items in tried:
        halves = [frozenset(half) for length in range(1, len(items)) for half in combinations(items, length)]
        pairs = [(has[half], has[items - half]) for half in halves]
        lift = has[items] * number / max(one * other for one, other in pairs)
        p = max(hypergeom.sf(has[items] - 1, number, one, other) for one, other in pairs)
        if lift >= GAIN and p <= CHANCE / len(tried):
            wanted[items] = (has[items] / number, lift)
    assert len(told) == min(MOST, len(wanted))
    assert told == {items: pytest.approx(wanted[items]) for items in told}
    assert turned.keys() == told.keys() or len(wanted) > MOST


def test_of_noise_no_item_set_is_told() -> None:
    told = 0
    for seed in range(20):
        codes = np.random.default_rng(seed).integers(0, 3, (300, 4))
        rows = table(np.zeros((300, 0)), codes, codes[:, 0] > 0, "binary", code_names=[*NAMES], classes=["n", "y"])
        told += bool(seek(rows, NAMES, support=0.1).sets)
    assert told <= 2


@given(st.integers(1, 5), st.integers(0, 200), st.integers(0, 99))
def test_bits_are_the_rows(sets: int, rows: int, seed: int) -> None:
    has = np.random.default_rng(seed).random((sets, rows)) < 0.5
    assert np.bitwise_count(packed(has)).sum(axis=1).tolist() == has.sum(axis=1).tolist()


def test_a_planted_rule_comes_first_and_alone() -> None:
    generator = np.random.default_rng(3)
    codes = generator.integers(0, 3, (4000, 4))
    numbers = generator.normal(0, 1, (4000, 3))
    late = (codes[:, 2] == 1) & (numbers[:, 1] > np.quantile(numbers[:, 1], 0.75))
    label = np.where(generator.random(4000) < 0.1, generator.random(4000) < 0.5, late)
    rows = table(numbers, codes, label, "binary", code_names=[*NAMES], classes=["no", "yes"])
    found = rules(rows, NAMES, support=0.01, label="late")
    assert (found[0].when, found[0].then) == (["way = b", "x1 in the highest quarter"], "late = yes")
    assert {tuple(each.when) for each in found} == {
        *[("way = b", "x1 in the highest quarter"), ("way = b",), ("x1 in the highest quarter",)]
    }


def test_of_noise_nothing_is_told() -> None:
    told = 0
    for seed in range(20):
        generator = np.random.default_rng(seed)
        codes = generator.integers(0, 3, (1000, 4))
        label = generator.random(1000) < 0.2
        rows = table(generator.normal(0, 1, (1000, 4)), codes, label, "binary", code_names=[*NAMES], classes=["n", "y"])
        told += bool(rules(rows, NAMES, support=0.02))
    assert told <= 2


def test_each_class_and_the_highest_quarter_are_consequents() -> None:
    iris, wine = load_iris(), load_wine()
    rows = table(iris.data, np.zeros((150, 0)), iris.target, "multiclass", code_names=[], classes=iris.target_names)
    found = rules(rows, {}, support=0.1, label="species")
    assert {each.then for each in found} == {f"species = {name}" for name in iris.target_names}
    setosa = next(each for each in found if each.then == "species = setosa" and each.confidence == 1)
    assert setosa.lift == pytest.approx(3)
    rows = table(wine.data[:, 1:], np.zeros((178, 0)), wine.data[:, 0], code_names=[])
    found = rules(rows, {}, support=0.1, label="alcohol")
    assert {each.then for each in found} == {"alcohol in the highest quarter"}
    assert any("x11 in the highest quarter" in each.when for each in found)  # proline


@given(st.lists(st.sampled_from([0.0, 1.0, 2.5, 7.0, -3.0]), min_size=1, max_size=60))
def test_levels_of_numbers_are_named_and_in_order(values: list[float]) -> None:
    numbers = np.asarray(values, np.float32)
    edges, level = levels(numbers)
    assert set(level.tolist()) <= set(range(len(edges) + 1))
    assert len(number_items("x", edges)) == (len(edges) + 1 if edges else 0)
    assert (np.diff(level[np.argsort(numbers, kind="stable")]) >= 0).all()
    assert bool(edges) == (len(set(values)) > 1)


def test_words_of_levels() -> None:
    assert [each.name for each in number_items("rain__missing", [0.0])] == ["rain is missing"]
    assert [each.name for each in number_items("rain", edges_of([0, 0, 0], 0, 9))] == ["rain is low", "rain is high"]
    assert [each.name for each in number_items("x", edges_of([1, 2, 3], 0, 9))] == [
        *["x in the lowest quarter", "x in the second quarter", "x in the third quarter", "x in the highest quarter"]
    ]
    assert number_items("x", edges_of([1, 1, 1], 1, 1)) == []


def test_missing_and_rare_are_items_and_columns_without_names_are_not() -> None:
    codes = np.repeat([[1, 1], [2, 2], [3, 3]], 40, axis=0) - 3
    label = np.repeat([1, 0, 0], 40)
    rows = table(np.zeros((120, 0)), codes, label, "binary", code_names=["city", "day"], classes=["no", "yes"])
    assert [each.when for each in rules(rows, {"day": ["a"]}, support=0.1)] == [["day is missing"]]


@pytest.mark.parametrize("label", [np.zeros(50), np.ones(50)])
def test_a_label_of_one_class_has_no_rules(label: np.ndarray) -> None:
    rows = table(np.arange(50.0)[:, None], np.zeros(50), label, "binary", classes=["no", "yes"])
    assert rules(rows, {"city": ["a"]}, support=0.1) == []


def test_no_rows_and_constants_have_no_rules() -> None:
    nothing = table(np.zeros((0, 1)), np.zeros(0), np.zeros(0))
    assert rules(nothing, {"city": ["a"]}, support=0.1) == []
    assert rules(table(np.ones((40, 2)), np.zeros(40), np.ones(40)), {"city": ["a"]}, support=0.1) == []


def test_of_too_many_items_the_most_telling_are_combined_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.unlabelled.rules.ITEMS", 30)
    generator = np.random.default_rng(2)
    numbers = generator.normal(0, 1, (2000, 20))
    rows = table(numbers, np.zeros((2000, 0)), numbers[:, 13] > 0.6745, "binary", code_names=[], classes=["no", "yes"])
    found = seek(rows, {}, support=0.02)
    note, sets = found.notes
    assert sets == "frequent item sets are of 30 of 80 items, those that nearest to half of the rows have"
    assert note.startswith("rules about label = yes combine the 30 most telling of ")
    assert found.rules[0].when == ["x13 in the highest quarter"]
