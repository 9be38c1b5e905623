"""What is seen in the rows themselves: columns that say the same, test rows from elsewhere, costs that run away."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.selecting import Finding, Fit
from models.candidates.assumptions import look
from models.candidates.assumptions.bins import explained, quantile_bins
from models.candidates.assumptions.check import Bar
from models.candidates.assumptions.separability import separated
from models.candidates.assumptions.tractability import grow
from models.candidates.rows import Rows
from tests.models.candidates.planted import FAMILIES, fits, rows


def seen(pool: Rows, folder: Path, test: Rows | None = None, journal: list[Fit] | None = None) -> dict[str, Finding]:
    found = look(pool, pool if test is None else test, {}, FAMILIES, journal or [], folder, 1)
    return {finding.assumption: finding for finding in found}


def test_columns_that_make_up_another_and_same_and_constant_ones_are_named(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    numbers = generator.normal(size=(2000, 5))
    clean = seen(rows("regression", numbers, numbers[:, 0]), tmp_path)
    assert clean["no multicollinearity"].verdict == "holds"
    assert "conditional independence" not in clean  # what makes up a number is tied by knowing it
    numbers[:, 1] = -numbers[:, 0]
    numbers[:, 2] = 7
    codes = np.c_[numbers[:, 3] > 0, 3 + 2 * (numbers[:, 3] < 0), np.full(2000, 4)]
    finding = seen(rows("regression", numbers, numbers[:, 4], codes), tmp_path)["no multicollinearity"]
    assert finding.verdict == "broken"
    assert all(words in finding.says for words in ("n0 = n1", "c0 = c1", "value: n2, c2"))


def test_a_sum_of_columns_is_collinear_though_no_pair_is(tmp_path: Path) -> None:
    generator = np.random.default_rng(2)
    numbers = generator.normal(size=(3000, 6))
    numbers[:, 5] = numbers[:, :5].sum(axis=1) + 0.3 * numbers[:, 5]
    found = seen(rows("regression", numbers, generator.normal(size=3000)), tmp_path)
    assert found["no multicollinearity"].verdict == "broken"
    assert "n5" in found["no multicollinearity"].says


def test_columns_may_correlate_through_the_label_but_not_beside_it(tmp_path: Path) -> None:
    generator = np.random.default_rng(3)
    label = generator.integers(0, 2, 4000) * 1.0
    through = 3 * label[:, None] + generator.normal(size=(4000, 2))
    beside = through + 2 * generator.normal(size=(4000, 1))
    assert seen(rows("binary", through, label), tmp_path)["conditional independence"].verdict == "holds"
    assert seen(rows("binary", beside, label), tmp_path)["conditional independence"].verdict == "broken"


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in (1, 2))])
def test_test_rows_from_elsewhere_are_told_and_the_column_is_named(seed: int, tmp_path: Path) -> None:
    generator = np.random.default_rng(seed)
    pool, same, other = (generator.normal(size=(count, 4)) for count in (4000, 2000, 2000))
    codes = [generator.integers(3, 9, size=(count, 1)) for count in (4000, 2000)]
    other[:, 2] += 1.5
    known = rows("regression", pool, pool[:, 0], codes[0])
    found = seen(known, tmp_path, rows("regression", same, same[:, 0], codes[1]))
    assert found["same distribution in test"].verdict == found["same label in test"].verdict == "holds"
    found = seen(known, tmp_path, rows("regression", other, other[:, 2], codes[1]))
    assert found["same distribution in test"].verdict == found["same label in test"].verdict == "broken"
    assert "are n2 " in found["same distribution in test"].says


def test_a_moved_category_and_a_rarer_class_are_seen(tmp_path: Path) -> None:
    generator = np.random.default_rng(4)
    numbers = generator.normal(size=(3000, 1))
    even, moved = generator.integers(3, 6, size=(3000, 1)), np.where(generator.random((3000, 1)) < 0.8, 3, 4)
    often, rare = ((generator.random(3000) < share) * 1.0 for share in (0.6, 0.2))
    found = seen(rows("binary", numbers, often, even), tmp_path, rows("binary", numbers, rare, moved))
    assert found["same distribution in test"].verdict == found["same label in test"].verdict == "broken"
    assert "are c0 " in found["same distribution in test"].says


@pytest.mark.parametrize(("power", "verdict"), [(1.0, "holds"), (1.1, "holds"), (1.5, "doubtful"), (2.0, "broken")])
def test_cost_that_grows_faster_than_rows_is_seen_behind_its_fixed_part(
    power: float, verdict: str, tmp_path: Path
) -> None:
    sizes = [1000, 3000, 10_000, 30_000, 100_000]
    seconds = [0.3 + 20 * (size / 1e5) ** power for size in sizes]
    pool = rows("regression", np.ones((5, 1)), np.ones(5))
    finding = seen(pool, tmp_path, journal=fits("mlp", sizes, seconds))["tractability"]
    assert (finding.verdict, finding.candidate, finding.families) == (verdict, "mlp", ["network"])


def test_who_was_fitted_on_one_size_or_failed_has_an_unknown_cost(tmp_path: Path) -> None:
    journal = fits("mlp", [1000], [1.0])
    journal += [fit.model_copy(update={"failure": "died"}) for fit in fits("lightgbm", [10, 20, 30], [1, 2, 3])]
    pool = rows("regression", np.ones((5, 1)), np.ones(5))
    found = look(pool, pool, {}, FAMILIES, journal, tmp_path, 1)
    costs = [(one.candidate, one.verdict) for one in found if one.assumption == "tractability"]
    assert costs == [("mlp", "unknown")]


def test_fits_on_few_rows_do_not_tell_how_cost_grows(tmp_path: Path) -> None:
    pool = rows("regression", np.ones((5, 1)), np.ones(5))
    finding = seen(pool, tmp_path, journal=fits("mlp", [32, 90, 178], [0.1, 0.4, 1.2]))["tractability"]
    assert finding.verdict == "unknown"
    assert "178 rows are too few" in finding.says


@given(power=st.floats(0.5, 2.5), factor=st.floats(1e-3, 1e3), seed=st.integers(0, 99))
def test_a_pure_power_is_recovered_from_noisy_seconds(power: float, factor: float, seed: int) -> None:
    sizes = np.geomspace(1e3, 1e6, 6)
    noise = np.exp(np.random.default_rng(seed).normal(0, 0.03, 6))
    assert grow(sizes, factor * (sizes / 1e6) ** power * noise).tenfold == pytest.approx(power, abs=0.2)


@given(seed=st.integers(0, 999), most=st.integers(2, 30))
def test_bins_keep_equal_values_together_and_explain_no_noise(seed: int, most: int) -> None:
    generator = np.random.default_rng(seed)
    values = generator.integers(0, 12, 3000) * 1.0
    bins = quantile_bins(values, most)
    assert all(len(np.unique(bins[values == value])) == 1 for value in np.unique(values))
    assert np.array_equal(np.unique(bins), np.arange(bins.max() + 1))
    share = explained(generator.normal(size=3000), bins)
    assert share is None or share.share < 0.02
    whole = explained(bins * 1.0, bins)
    assert whole is None or whole.share == pytest.approx(1)


@given(effect=st.floats(0, 10), p_value=st.none() | st.floats(0, 1))
def test_a_bar_is_climbed_by_effect_and_chance_takes_a_step_back(effect: float, p_value: float | None) -> None:
    bar = Bar(1, 2)
    assert bar.step(effect, p_value) <= bar.step(effect, None) <= bar.step(effect + 1, None)
    assert p_value is None or p_value >= 0.05 or bar.step(effect, p_value) == bar.step(effect, None)


@given(seed=st.integers(0, 200))
def test_a_plane_is_found_if_and_only_if_there_is_one(seed: int) -> None:
    generator = np.random.default_rng(seed)
    numbers = generator.normal(size=(600, 4))
    side = numbers @ generator.normal(size=4)
    wide = numbers[np.abs(side) > 0.05]
    label = (side[np.abs(side) > 0.05] > 0) * 1.0
    assert separated(rows("binary", wide, label), 1)
    label[np.argmax(np.abs(side[np.abs(side) > 0.05]))] = 1 - label[np.argmax(np.abs(side[np.abs(side) > 0.05]))]
    assert not separated(rows("binary", wide, label), 1)
