"""Values whose rows are alike are in one group, whatever they are called and in whatever order they come."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_iris, load_wine

from conf.errors import FranklinError
from conf.segmenting import LEAVES, MOST, ROWS, NoSegmentsError
from conf.selecting import Segments
from models.unlabelled.drawing import draw
from models.unlabelled.segments import segments
from tests.models.unlabelled.tables import agreement, blobs, table

METHODS = ["kmeans", "hierarchical", "mixture"]


def parted(found: Segments) -> set[frozenset[str]]:
    return {frozenset(group) for group in found.groups}


def test_kinds_that_are_far_apart_are_found_by_every_method() -> None:
    rows, names, kind = blobs()
    found = segments(rows, "city", names, 1)
    assert [each.method for each in found] == METHODS
    for each in found:
        assert agreement(each, dict(zip(names, kind, strict=True))) == 1
        assert each.quality > 0.5
        assert sorted(name for group in each.groups for name in group) == sorted(names)
        assert each.profile.keys() == {"x0", "x1", "x2", "label", ROWS}
        means = [
            rows.numbers[np.isin(rows.codes[:, 0] - 3, [names.index(n) for n in g]), 0].mean() for g in each.groups
        ]
        assert each.profile["x0"] == pytest.approx(means, rel=1e-5)
        assert each.profile[ROWS] == [40] * 3


@pytest.mark.parametrize(("load", "least"), [(load_iris, 0.8), (load_wine, 0.8)])
def test_samples_of_the_same_species_are_grouped(load: object, least: float) -> None:
    """Values are samples of five flowers or wines each, of one species."""
    data = load()  # type: ignore[operator] -- one of two functions
    species = data.target
    code = np.concatenate([np.arange((species == s).sum()) // 5 + 100 * s for s in range(3)])
    kinds, code = np.unique(code, return_inverse=True)
    numbers = (data.data - data.data.mean(axis=0)) / data.data.std(axis=0)
    names = [f"{data.target_names[each // 100]} {each % 100}" for each in kinds]
    found = segments(table(numbers, code, np.zeros(len(code))), "city", names, 1)
    truth = dict(zip(names, [int(each) // 100 for each in kinds], strict=True))
    best = {each.method: round(agreement(each, truth), 2) for each in found}
    assert max(best.values()) >= least, best
    assert min(best.values()) > 0.5, best


@settings(max_examples=3)
@given(seed=st.integers(0, 100), order=st.permutations(range(12)))
def test_neither_names_nor_order_nor_scale_decide(seed: int, order: list[int]) -> None:
    rows, names, _ = blobs(seed=seed)
    plain = segments(rows, "city", names, 1)
    turned = rows.take(np.random.default_rng(seed).permutation(len(rows)))
    codes = np.argsort(order)[turned.codes[:, 0] - 3]
    scaled = table(turned.numbers * np.float32([1, 100, 0.01]), codes, turned.label * 1000 - 5)
    again = segments(scaled, "city", [names[i] for i in order], 1)
    assert [parted(each) for each in plain] == [parted(each) for each in again]


def test_same_seed_same_answer_and_same_pictures(tmp_path: Path) -> None:
    rows, names, _ = blobs()
    first, second = (segments(rows, "city", names, 7) for _ in "ab")
    assert first == second
    for each in first:
        for folder in "ab":
            draw(each, tmp_path / folder)
        assert (tmp_path / "a" / each.figure).read_bytes() == (tmp_path / "b" / each.figure).read_bytes()


def test_pictures_are_svg_with_the_names_in_them(tmp_path: Path) -> None:
    rows, names, _ = blobs()
    names[0], names[1] = "<b> & $x$ $y$", "Ō" * 50
    for each in segments(rows, "city", names, 1):
        draw(each, tmp_path)
        drawn = (tmp_path / each.figure).read_text(encoding="utf-8")
        assert drawn.startswith("<?xml")
        shown = [
            name in drawn for name in ("&lt;b&gt; &amp; $x$ $y$", f">{'Ō' * 27}…<", *(f">{n}<" for n in names[2:]))
        ]
        assert sum(shown) >= 3  # on a map, as many as there is room for
        assert all(shown) or each.method != "hierarchical"


def test_a_column_with_odd_characters_gets_a_plain_file() -> None:
    rows, names, _ = blobs()
    odd = table(rows.numbers, rows.codes[:, 0] - 3, rows.label, code_names=["../ü b"])
    assert segments(odd, "../ü b", names, 1)[0].figure == "segments_.._ü_b_kmeans.svg"


def test_what_is_rare_or_missing_is_no_value() -> None:
    rows, names, _ = blobs()
    rows.codes[::7, 0] = 1
    rows.codes[::11, 0] = 2
    for each in segments(rows, "city", names, 1):
        assert sorted(name for group in each.groups for name in group) == sorted(names)


def test_noise_does_not_hide_what_differs() -> None:
    """Thirty numbers that are the same for all values do not drown the one that differs."""
    generator = np.random.default_rng(5)
    code = np.repeat(np.arange(20), 30)
    numbers = np.hstack([generator.normal(0, 1, (600, 30)), (3 * (code % 2) + generator.normal(0, 1, 600))[:, None]])
    names = [f"v{i}" for i in range(20)]
    found = segments(table(numbers, code, np.zeros(600)), "city", names, 1)[0]
    assert agreement(found, {name: i % 2 for i, name in enumerate(names)}) == 1


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_the_label_is_told_by_its_classes(task: str) -> None:
    rows, names, kind = blobs()
    classes = ["no", "yes"] if task == "binary" else ["a", "b", "c"]
    label = np.minimum(np.asarray(kind)[rows.codes[:, 0] - 3], len(classes) - 1)
    told = table(rows.numbers, rows.codes[:, 0] - 3, label, task, classes=classes)
    found = segments(told, "city", names, 1, label="late")[0]
    assert {name for name in found.profile if "late" in name} == (
        {"late = yes"} if task == "binary" else {"late = a", "late = b", "late = c"}
    )
    assert all(0 <= share <= 1 for name in found.profile if "late" in name for share in found.profile[name])


def test_columns_that_are_not_there_are_named_with_the_nearest() -> None:
    rows, names, _ = blobs()
    with pytest.raises(FranklinError, match=r"no column 'citi'; did you mean 'city'\?"):
        segments(rows, "citi", names, 1)
    with pytest.raises(FranklinError, match="'x1' is not categorical; categorical columns: city"):
        segments(rows, "x1", names, 1)


@pytest.mark.parametrize("values", [0, 1, 3])
def test_too_few_values_are_said(values: int) -> None:
    code = np.repeat(np.arange(values), 10)
    rows = table(np.ones((len(code), 2)), code, np.zeros(len(code)))
    with pytest.raises(NoSegmentsError, match=rf"city: {values} values? with a name in train, too few"):
        segments(rows, "city", ["a", "b", "c"][:values], 1)


def test_values_that_do_not_differ_are_said() -> None:
    rows = table(np.full((60, 2), 0.1), np.repeat(np.arange(6), 10), np.full(60, 1e9))
    with pytest.raises(NoSegmentsError, match="do not differ"):
        segments(rows, "city", list("abcdef"), 1)


def test_ten_thousand_values_are_cut_to_the_most_frequent() -> None:
    generator = np.random.default_rng(1)
    code = np.concatenate([np.arange(10_000), np.arange(3000), np.arange(LEAVES)])
    rows = table(generator.normal(0, 1, (len(code), 2)) + 5 * (code % 2)[:, None], code, np.zeros(len(code)))
    names = [f"n{i}" for i in range(10_000)]
    means, tree, mixture = segments(rows, "city", names, 1)
    for each, most in [(means, MOST), (tree, LEAVES), (mixture, MOST)]:
        assert sum(map(len, each.groups)) == most
        assert f"of 10,000 values the {most:,} most frequent" in str(each.note)
    assert {name for group in tree.groups for name in group} == set(names[:LEAVES])
